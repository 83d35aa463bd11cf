# أسباب المشاكل مع قيمها. تُعرف بنصها الإنكليزي في المصدر وتُقال هنا بالعربية.

# من له أن يقول ماذا
detail-no_authority-device = لا يصدر ذلك عن جهاز بل عن موظف: { $event }
detail-no_authority-event = ليس للدائرة { $department } أن تقول: { $event }
detail-no_authority-hub = لا تتكلم الهيئة إلا من عقدة المركز
detail-no_authority-holds = الدائرة { $department } ليست صاحبة حجوزات من نوع { $type }
detail-no_authority-event_of_hold = ليس للدائرة { $department } أن تقول في هذا الحجز: { $event }
detail-no_authority-check = يغلق التدقيق من فتحه من الدوائر وقد اطلع عليه
detail-no_authority-event_of_record = ليس للدائرة { $department } أن تقول في هذا السجل: { $event }
detail-no_authority-lane = لا يخفض المسار إلا مشرف في الجمارك
detail-no_authority-not_of = { $officer } ليس من موظفي الدائرة { $department }، أو لم يعد منهم
detail-no_authority-elsewhere = { $officer } مسجّل في منفذ غير هذا
detail-no_authority-not_here = { $officer } غير مسجّل لهذه الدائرة في هذا المنفذ
detail-no_authority-hold = ليس للدائرة { $department } أن ترفع الحجز { $hold } من هنا
detail-no_authority-nobody = لا يضع أحد قيمة الحقل: { $field }
detail-no_authority-device_field = لا يضع جهاز قيمة هذا الحقل هنا بل موظف: { $field }
detail-no_authority-field = ليس للدائرة { $department } أن تضع قيمة الحقل { $field }، بل لهذه الدوائر: { $departments }
detail-no_authority-findings = البت في الملاحظات الرقابية لمدققي الهيئة
detail-unknown_department-name = لا توجد دائرة بهذا الرمز: { $name }
detail-unregistered_officer-name = لم يكن المركز قد سجّل الموظف { $officer } حين قيل ذلك
detail-revoked_officer-name = انتهى تسجيل الموظف { $officer }

# رفع الحجز
detail-no_second_officer-missing = رفع الحجز يلزمه موظف ثانٍ
detail-names_no_hold-missing = لا يُرفع إلا حجز مذكور، ولم يُذكر أي حجز
detail-unseen_hold-hold = الحجز { $hold } لم يكن ضمن ما اطلع عليه الموظف
detail-result_against-one = توجد نتيجة تخالف رفع الحجز
detail-no_attested_result-none = لم يُطلع على نتيجة مصادق عليها تجيز رفع الحجز
detail-not_rejected-goods = لا يُعاد التصدير ولا الإتلاف إلا بعد رفض البضاعة
detail-contested-field = حقل ذو أثر قانوني متنازع على قيمته، ويجب حسمه قبل تقدير الرسوم
detail-token_unknown-id = لا يوجد هنا رمز إفراج من المركز برقم { $token }
detail-token_foreign-id = رمز الإفراج { $token } لمنفذ آخر أو دائرة أخرى أو موظف آخر
detail-token_expired-id = انتهت صلاحية رمز الإفراج { $token }
detail-token_expired-hub = انتهت صلاحية رمز الإفراج { $token } بحسب وقت المركز
detail-token_expired-bearer = انتهت صلاحية رمز الدخول { $name }؛ يُطلب إصدار رمز آخر
detail-token_spent-id = رمز الإفراج { $token } سبق استعماله

# توقيع الموظف نفسه
detail-decision_unsigned-none = السياسة تشترط توقيع الموظف نفسه على القرار، وهذا القرار من غير توقيع؛ ويكون التوقيع بأحد الخيارين `--ssh-agent` و`--sign-key FILE` في الأمر `wadi record event`
detail-decision_key-other = المفتاح { $key } لم يكن من مفاتيح الموظف { $officer } حين قيل ذلك، أو سُحب
detail-decision_signature-other = توقيع الموظف نفسه غير صحيح: فهو على شيء غير ما يقوله هذا القيد
detail-decision_signature-old = توقيع الموظف نفسه غير صحيح: فقد وُقّع قبل أكثر من 15 دقيقة أو بعد وقت القيد
detail-decision_signature-why = توقيع الموظف نفسه غير صحيح ({ $detail })

# الحقول
detail-guarded_field-supervisor = صار الحقل { $field } أساسًا لقرار: لا يغيّره إلا مشرف
detail-guarded_field-reason = صار الحقل { $field } أساسًا لقرار: يُذكر معه سبب تغييره بهذه الواقعة: { $event }
detail-guarded_field-rests = الحقل { $field } لم يعد يخص هذا السجل وحده: لا تغيّره إلا هذه الدوائر: { $departments }
detail-guarded_field-nobody = الحقل { $field } يضع قيمته موظف، ولم يُذكر موظف
detail-guarded_field-registered = الحقل { $field } لا يضع قيمته إلا موظف مسجّل: { $why }
detail-guarded_field-device = لا يضع جهاز قيمة هذا الحقل هنا بل موظف: { $field }
detail-guarded_field-owner = الحقل { $field } تضع قيمته الدائرة صاحبة الحجز
detail-guarded_field-type = الدائرة { $department } ليست صاحبة حجوزات من نوع { $type }، فليس لها أن تضع قيمة الحقل { $field }
detail-guarded_field-none = الدائرة { $department } ليست صاحبة أي نوع من الحجوزات، فليس لها أن تضع قيمة الحقل { $field }
detail-guarded_field-hold = الدائرة { $department } ليست صاحبة هذا الحجز، فليس لها أن تضع قيمة الحقل { $field }

# السجلات
detail-foreign_crossing-record = لم يُحل السجل إلى المنفذ الذي دوّن ذلك
detail-foreign_crossing-begun = تدوّن هذه العقدة سجلات المنفذ { $own }، وسجل المنفذ { $crossing } يُفتح هناك أو في المركز
detail-foreign_crossing-observer = { $node } عقدة اطلاع فقط: لا تدوّن شيئًا
detail-foreign_record-begun = فتح هذا السجل منفذ آخر باسم هذا المنفذ: لا يُعتد بشيء مما يُقال فيه
detail-wrong_kind-draft = السجل { $record } من نوع { $is }، وما يُراد تدوينه لنوع { $draft }
detail-no_such_record-id = لا يوجد سجل برقم { $record }
detail-unknown_entry-named = يذكر based_on القيد { $entry }، وليس من قيود هذا السجل هنا
detail-empty_draft-nothing = لا شيء يُدوّن: لم تُذكر حقول ولا وقائع
detail-key_reused-entry = المفتاح { $key } كان لشيء آخر في القيد { $entry }: لم يُدوّن شيء؛ يُعطى الجديد مفتاحًا خاصًا به
detail-busy-writes = العقدة مشغولة: كثير من القيود ينتظر
detail-busy-sign_in = كثيرون يدخلون في وقت واحد؛ يُعاد الطلب
detail-stopping-node = العقدة في طور التوقف

# الملاحظات الرقابية
detail-no_such_finding-id = لا توجد ملاحظة برقم { $finding }؛ ربما زالت بوصول سجلات
detail-already_decided-state = حالتها الآن { $state }؛ يُلغى ذلك أولاً
detail-already_proposed-waits = يوجد مقترح ينتظر البت فيه
detail-nothing_proposed-now = لا يوجد مقترح على الأدلة بحالها الآن
detail-own_proposal-same = من يبت في المقترح غير من اقترحه
detail-finding_moved-facts = تغيّرت وقائعها منذ اطلاعك عليها؛ حالتها الآن { $state }
detail-finding_moved-act = جرى عليها إجراء منذ اطلاعك عليها؛ حالتها الآن غير ما رأيت
detail-no_disposition-missing = يُذكر ما كانت: true أو explained أو false_alarm أو duplicate
detail-bad_duplicate-missing = تُذكر الملاحظة الأخرى
detail-bad_duplicate-self = لا تكون الملاحظة مكررة لنفسها
detail-bad_duplicate-unknown = لا توجد ملاحظة أخرى بهذا الرقم
detail-bad_duplicate-only = لا تُذكر ملاحظة أخرى إلا للمكررة
detail-nothing_to_undo-none = لم يُبت في شيء ولم يُقترح شيء؛ تُذكر الواقعة التي تُلغى
detail-not_a_hub-found = تُرصد الملاحظات في المركز
detail-not_a_hub-decided = تُسند الملاحظات ويُبت فيها في المركز
detail-own_token_needed-findings = يبت في الملاحظات مدققون لكل منهم رمز دخول خاص به: `wadi token issue NAME --officer AU-1 --department HUB` ثم الأمر مع `--token`

# الدخول
detail-sign_in_failed-other = لا يوجد حساب كهذا، أو كلمة المرور غير صحيحة
detail-sign_in_paused-wait = محاولات كثيرة لم تنجح؛ يُنظر في التالية بعد { $seconds } ثانية
detail-code_over-link = الرابط مستعمل أو منتهي الصلاحية أو لم يكن قط: يُطلب غيره
detail-account_locked-locked = الحساب مقفل؛ يفتحه مشغّل هذه العقدة
detail-officer_not_named-officer = لم يسمّ المركز الموظف { $officer } من موظفي الدائرة { $department } هنا
detail-old_password-other = كلمة المرور القديمة غير صحيحة
detail-wrong_password-other = كلمة المرور غير صحيحة
detail-passkeys_not_offered-origins = لا تتيح هذه العقدة مفاتيح المرور: يسمّي مشغّلها عناوين لوحة المتابعة في http_passkeys
detail-passkey_failed-unknown = لم يوقّع ذلك أي مفتاح مرور لحساب هنا
detail-passkey_failed-elsewhere = وُقّع لصفحة أخرى غير لوحة المتابعة هذه
detail-passkey_failed-unverified = لم يتحقق الجهاز ممن يستعمله: يُطلب رقم سري أو بصمة أو وجه
detail-passkey_failed-other = مفتاح المرور غير مقبول: { $why }
detail-passkey_challenge_over-over = أُجيب عن الطلب أو انتهت مدته أو لم يكن قط: يُبدأ من جديد
detail-passkey_copied-counter = من مفتاح المرور هذا نسختان: رجع عدّاده إلى الوراء. ولم يعد يُدخل أحداً
detail-passkey_unread-why = تعذّرت قراءة جواب المتصفح: { $why }
detail-passkey_known-there = مفتاح المرور موجود من قبل
detail-too_many_passkeys-most = لا يزيد الحساب على هذا العدد من مفاتيح المرور: { $count }؛ يُحذف واحد
detail-no_such_passkey-id = ليس لك مفتاح مرور بهذا الرقم: { $id }
detail-session_over-ended = انتهت الجلسة؛ يُعاد الدخول
detail-account_taken-name = الحساب { $name } لشخص آخر، أو له صلاحيات أخرى، أو مقفل
detail-no_such_account-name = لا يوجد هنا حساب باسم { $name }
detail-own_account-own = هذا حسابك: يقوم بذلك مشغّل آخر
detail-other_person-token = رمز الدخول للشخص { $own }، وليس له أن يتكلم باسم { $named }
detail-read_only-token = رمز الدخول هذا للقراءة فقط
detail-officer_given-token = يبيّن رمز الدخول من المتكلم؛ فلا يُذكر officer ولا department

# تنبيهات على ما دُوّن مع ذلك
detail-warning-changed = { $field }: تغيّر بعد أن صار أساسًا لهذا: { $event }؛ وهذه ملاحظة رقابية (R32)
detail-warning-unsigned = { $event }: غير موقّع بمفتاح الموظف نفسه، والسياسة تطلب ذلك
detail-warning-happened = يُقال إنه وقع بعد الوقت الحالي لساعة هذه العقدة بكذا دقيقة: { $minutes }
detail-warning-clock_ahead = ساعة هذه العقدة متقدمة على ساعة المركز ({ $apart }): يُحفظ القيد ويبلّغ المركز عن وقته (R20)
detail-warning-clock_behind = ساعة هذه العقدة متأخرة عن ساعة المركز ({ $apart }): يُحفظ القيد ويبلّغ المركز عن وقته (R20)
detail-warning-number = أعطى الجهاز { $device } الرقم { $number } بعد الرقم { $newest }: وصل متأخرًا أو بدأ عدّاده من جديد
detail-warning-container = { $container }: رقم حاوية غير صحيح بحسب ISO 6346
detail-warning-vin_digit = { $vin }: رقم التحقق في رقم الهيكل غير مطابق (ISO 3779)
detail-warning-vin = { $vin }: رقم هيكل غير صحيح بحسب ISO 3779
detail-warning-zone = { $person }: المنطقة المقروءة آليًا في الوثيقة لم تجتز التحقق (ICAO 9303)
detail-warning-letter = { $field }: حرف مشابه ({ $letter }) من أبجدية أخرى بين حروف لاتينية، ويُعدّ الحرف الذي يشبهه

# النقل نيابة عن عقدة أخرى، وتعدد الروابط
detail-carries_open-carrier = لا تنقل هذه العقدة إلا كتلًا مكشوفة تستطيع قراءتها: لا تُسلّم شيئًا للمركز حتى يُحدَّث برنامجها
detail-carried_unopened-hub = برنامج هذه العقدة لا يفتح ما خُتم لها: يُحدَّث
detail-carry_unsealed-why = تعذر تسليمها إلى عقدة مجاورة لتنقلها إلى المركز: { $detail }
detail-carried_seal_broken-carrier = ما نقلته العقدة { $carrier } من السجل { $log } ليس ما ختمته العقدة { $name }: تغيّر في الطريق؛ لم يضِع شيء، وهو محفوظ لدى { $owner }
detail-carried_unreadable-author = ما ختمته العقدة { $name } من السجل { $log } لا ينفتح هنا: { $detail }
detail-too_many_links-peer = تتصل العقدة { $node } برابط زائد على الحد المسموح: { $most }
