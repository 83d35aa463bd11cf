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

# صيغة ما يُدوّن وقيمه
detail-unknown_field-near = لا يوجد حقل باسم { $name } في سجل من نوع { $kind }؛ لعل المقصود: { $near }
detail-unknown_field-name = لا يوجد حقل باسم { $name } في سجل من نوع { $kind }
detail-unknown_event-near = لا يوجد نوع واقعة باسم { $name }؛ لعل المقصود: { $near }
detail-unknown_event-name = لا يوجد نوع واقعة باسم { $name }
detail-wrong_kind-event = هذه الواقعة ليست من وقائع سجل من نوع { $kind }: { $event }؛ فهي تخص الأنواع الآتية: { $belongs }
detail-unknown_kind-name = لا يوجد نوع سجل باسم { $name }؛ والأنواع هي passage (عبور) وhold (حجز) وcustoms-entry (بيان جمركي) وsite-day (يوم المنفذ)
detail-unknown_department-code = لا توجد دائرة بالرمز { $name }؛ ورموز الدوائر هي: { $departments }
detail-unknown_name-near = لا يوجد جدول ولا نوع سجل ولا واقعة ولا حقل باسم { $name }؛ لعل المقصود: { $near }
detail-unknown_name-name = لا يوجد جدول ولا نوع سجل ولا واقعة ولا حقل باسم { $name }
detail-malformed_event-form = الواقعة ليست كائن JSON بالصيغة المعتمدة وله نوع
detail-malformed_event-why = الواقعة غير سليمة الصيغة: { $why }
detail-bad_value-whole = { $field }: يلزم عدد صحيح، والمعطى: { $found }
detail-bad_value-text = { $field }: يلزم نص، والمعطى: { $found }
detail-bad_value-one_of = { $field }: القيمة { $value } ليست من القيم المقبولة: { $names }
detail-bad_value-country = { $field }: القيمة { $value } ليست رمز بلد من حرفين كبيرين بحسب ISO 3166
detail-bad_value-currency = { $field }: القيمة { $value } ليست رمز عملة من ثلاثة أحرف كبيرة بحسب ISO 4217
detail-bad_value-crossing = { $field }: القيمة { $value } ليست رمز منفذ
detail-bad_value-digest = { $field }: تلزم بصمة SHA-256 من 64 رقمًا ست عشريًا؛ فأرقام الوثائق لا تُحفظ مكشوفة
detail-bad_value-hs_digits = { $field }: القيمة { $value } ليست رمزًا في النظام المنسق: تُكتب أرقام، بين مجموعاتها نقطة أو مسافة واحدة
detail-bad_value-hs_odd = { $field }: القيمة { $value } ليست رمزًا في النظام المنسق: عدد أرقامها فردي ({ $n })؛ ففيها رقم ناقص أو زائد
detail-bad_value-hs_zero = { $field }: القيمة { $value } ليست رمزًا في النظام المنسق: عدد أرقامها فردي ({ $n })؛ ربما سقط الصفر من أولها (والصواب { $meant })، أو فيها رقم ناقص أو زائد
detail-bad_value-hs_length = { $field }: القيمة { $value } ليست رمزًا في النظام المنسق: أرقامه من { $least } إلى { $most }، والفصل من 01 إلى 97
detail-bad_value-hs_chapter = { $field }: القيمة { $value } ليست رمزًا في النظام المنسق: لا يوجد فصل برقم { $chapter }، والفصول من 01 إلى 97
detail-bad_value-day = { $field }: القيمة { $value } ليست يومًا؛ يُكتب اليوم هكذا: 2026-03-01
detail-bad_value-lookout_origin = { $field }: القيمة { $value }: يُكتب بعد علامة الزائد بلد المنشأ، مثل 0803+EC
detail-bad_value-lookout = { $field }: القيمة { $value } ليس فيها حرف ولا رقم: فلا يطابقها شيء
detail-bad_value-nationality = { $field }: القيمة { $value } ليست رمزًا من أحرف كبيرة: حرفان أو ثلاثة بحسب ISO 3166، أو ما في وثيقة السفر بحسب ICAO Doc 9303
detail-bad_value-empty = { $field }: النص فارغ؛ تُعطى القيمة null لمسح الحقل
detail-bad_value-negative = { $field }: القيمة { $number } أقل من الصفر ({ $unit })
detail-bad_value-range = { $field }: القيمة { $number } خارج كل حد معقول (من { $least } إلى { $most } { $unit })
detail-bad_value-time = { $field }: القيمة { $number } ليست وقتًا بين عامي 1970 و9999 (وقت Unix بأجزاء الألف من الثانية)
detail-bad_value-is_required = { $field }: عنصر لازم
detail-bad_value-read_or_reason = { $field }: تلزم قراءة الجهاز، أو سبب عدم وجودها في `reason`
detail-bad_value-beyond = { $field }: العدد أكبر من 2^53، ولا تحفظه صيغة JSON بدقة
detail-bad_value-not_empty = { $field }: يلزم نص غير فارغ
detail-bad_value-an_int = { $field }: يلزم عدد صحيح
detail-bad_value-a_number = { $field }: يلزم عدد
detail-bad_value-a_flag = { $field }: يلزم true أو false
detail-bad_value-a_time = { $field }: يلزم وقت Unix بأجزاء الألف من الثانية
detail-bad_value-ints = { $field }: تلزم قائمة أعداد صحيحة
detail-bad_value-texts = { $field }: تلزم قائمة نصوص
detail-bad_value-member_near = { $field }: ليس من عناصر هذه الواقعة: { $event }؛ لعل المقصود: { $near }
detail-bad_value-member = { $field }: ليس من عناصر هذه الواقعة: { $event }
detail-bad_value-member_one_of = { $field }: القيمة ليست من القيم المقبولة: { $names }
detail-bad_value-member_crossing = { $field }: القيمة ليست رمز منفذ
detail-bad_value-hold_type = { $field }: القيمة ليست نوع حجز
detail-bad_value-net = { $field }: الصافي { $net } لا يساوي القائم { $gross } ناقصًا الفارغ { $tare }
detail-bad_value-neither = { $field }: القيمة { $found } ليست نصًا ولا عددًا صحيحًا من 64 بتًا ولا true أو false ولا null
detail-bad_value-long = { $field }: عدد المحارف أكثر من { $most }
detail-bad_value-hidden = { $field }: فيه محرف خفي أو محرف يغيّر اتجاه ما حوله، رمزه في يونيكود { $character }
detail-bad_value-key_long = المفتاح key أطول من { $most } بايت
detail-bad_value-key_control = في المفتاح key محرف تحكّم رمزه في يونيكود { $character }
detail-bad_value-id_control = في المعرّف { $id } محرف تحكّم
detail-bad_value-device_signs_in = للجهاز رمز دخول ولا يسجّل الدخول بحساب
detail-bad_value-account = اسم الحساب من محرف واحد إلى { $most }
detail-bad_value-before = المعامل before عدد لا يقل عن الصفر
detail-bad_value-reason = السبب reason من { $least } إلى { $most } محرفًا
detail-bad_value-say_why = يُذكر السبب في reason
detail-bad_value-hours = عدد الساعات hours من 1 إلى { $most }
detail-bad_value-days = عدد الأيام days من 1 إلى { $most }
detail-bad_value-no_device = { $name }: ليس لأي جهاز أن يقول ذلك أو يضع قيمته؛ وما للجهاز مبيّن في الملف docs/authority.md
detail-bad_value-device_empty = اسم الجهاز device فارغ
detail-device_sequence-number = سبق أن أعطى الجهاز { $device } الرقم { $number } لشيء آخر في القيد { $entry }: لم يُدوّن شيء؛ فإما أن لجهاز آخر هذا الاسم، وإما أن العدّاد بدأ من جديد، ويُعلن ذلك بالعنصر `device_session` أو بالأمر `wadi token anew`
detail-device_seq_missing-number = يعطي الجهاز رقمه التسلسلي `device_seq` ابتداءً من 1
detail-kind_missing-kind = يلزم ذكر نوع السجل الجديد في `kind`
detail-officer_missing-who = يُذكر باسم من يُدوّن ذلك: `officer` و`department`
detail-no_officer-name = يُذكر المدقق في `officer`
detail-wrong_log-lane = القيد في سجل قيود لمسار أو منفذ غير مسار السجل ومنفذه
detail-past_cut-log = القيد واقع بعد حد القطع لسجل قيوده: يُحفظ، وله أن يقيّد دون أن يُفرج
detail-circle-own = يستند القيد إلى ما لا يرد في سجل قيوده إلا بعده
detail-circle-leaning = سجل قيوده والقيود التي يستند إليها يستند بعضها إلى بعض في دائرة
detail-derivation_failed-none = تعذر استخلاص أي تغيير منه
detail-set_aside-work = سبق أن أوقف هذا العمل العقدة، فنُحّي جانبًا حتى يُحدّث البرنامج، ولم يُدوّن شيء
detail-ambiguous_record-id = الرقم { $record } يدل على أكثر من سجل: { $records }
detail-unproven_here-log = { $record } محفوظ هنا دون سجل قيوده: يُسأل المركز أو عقدة المنفذ الذي فُتح فيه
detail-not_known_then-record = لم تكن هذه العقدة قد استلمت حتى ذلك الوقت شيئًا من السجل { $record }
