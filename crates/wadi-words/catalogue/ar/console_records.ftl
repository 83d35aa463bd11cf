# صفحات لوحة المتابعة: السجلات، البحث فيها وقراءتها، وتاريخها وإثباتها.

console-records-title = السجلات
console-records-q = رقم لوحة أو حاوية أو مرجع أو رقم سجل أو بصمة وثيقة
console-records-q-help = بالحروف والأرقام العربية أو اللاتينية، بمسافات أو من دونها. ويكفي من رقم السجل أوله، مثل TRB-P-1NA.
console-records-seek = بحث
console-records-filters = التصفية
console-records-kind = نوع السجل
console-records-crossing = المنفذ
console-records-state = الحالة أو العلامة
console-records-department = حجوزات دائرة
console-records-hold-type = نوع الحجز
console-records-from = بدأ من يوم
console-records-until = إلى يوم
console-records-known = كما كان معروفًا هنا في
console-records-held = موقوف بموجب حجز قائم
console-records-contested = فيه قيم متنازع عليها
console-records-any = الكل
console-records-apply = تطبيق
console-records-clear = مسح الكل
console-records-unread-day = تعذرت قراءة اليوم: يُكتب هكذا 2026-03-01. والقائمة معروضة من دونه.
console-records-unread-known = تعذرت قراءة الوقت: يُكتب هكذا 2026-03-01T14:00. والقائمة معروضة كما هي الآن.
console-records-understood = جرى البحث عن:
console-records-search-withheld = يبدو أن هذا بصمة وثيقة. ولا يبحث عن المسافرين بوثائقهم إلا من يقتضي عمله ذلك، وحسابك لا يطّلع عليها.
console-records-as-plate = رقم لوحة
console-records-as-container = حاوية
console-records-as-seal = ختم
console-records-as-vin = رقم شاصي
console-records-as-declarant_ref = مرجع المصرّح
console-records-as-receipt = رقم وصل قبض
console-records-as-registration = رقم تسجيل بيان
console-records-as-transit = وثيقة عبور
console-records-as-certificate = شهادة
console-records-as-document = وثيقة مسافر
console-records-as-plate_shape = لوحات تشبهه
console-records-as-was = قيمة عُدّلت لاحقًا
console-records-as-id = رقم سجل
console-records-as-names = يذكره هذا السجل
console-records-as-named_by = يذكر هذا السجل
console-records-or = أو
console-records-and = و
console-records-known-of = كما كانت معروفة لدى هذه العقدة في
console-records-known-what = الحالات والقيم كما كانت في ذلك الوقت. أما النوع والمنفذ وما جرى البحث عنه فكما هي اليوم، ولا تبيّن القوائم ما كان موقوفًا حينها. ويعيد هذا الرابط القائمة نفسها.
console-records-known-left-out = { $n ->
    [one] لم يكن سجل واحد من هذه الصفحة معروفًا حينها، أو كان في حالة أخرى.
    [two] لم يكن سجلان من هذه الصفحة معروفين حينها، أو كانا في حالة أخرى.
    [few] لم تكن { $n } سجلات من هذه الصفحة معروفة حينها، أو كانت في حالة أخرى.
   *[other] لم يكن { $n } سجلًا من هذه الصفحة معروفًا حينها، أو كان في حالة أخرى.
}
console-records-none-title = لم يُعثر على شيء
console-records-none-here = لا شيء مطابق في هذه الصفحة، وهناك سجلات أقدم: يمكن المتابعة.
console-records-none-text = لا يوجد في هذه العقدة سجل مطابق. ما يمكن تجربته:
console-records-none-near = البحث عن لوحات يسهل الخلط بينها وبينه (0 وO، 1 وI، 5 وS، 8 وB)
console-records-none-filters = البحث نفسه من دون تصفية
console-records-none-part = البحث عن الحاوية أو الختم أو البيان بدل اللوحة
console-records-none-later = مراجعة صفحة المواقع: ما لم يرسله المنفذ بعد ليس هنا
console-records-count = { $n ->
    [zero] لا سجلات
    [one] سجل واحد
    [two] سجلان
    [few] { $n } سجلات
    [many] { $n } سجلًا
   *[other] { $n } سجل
}
console-records-count-more = أول { $n }؛ وهناك المزيد.
console-records-many = قد يطابق البحث سجلات كثيرة جدًا: يمكن تضييقه بمنفذ أو يوم أو حالة.
console-records-col-record = السجل
console-records-col-about = موضوعه
console-records-col-crossing = المنفذ
console-records-col-state = الحالة
console-records-col-begun = البداية
console-records-col-last = آخر واقعة
console-records-col-shared = ما يجمعهما
console-records-contested-short = متنازع عليه
console-records-pages = الصفحات
console-records-first = إلى الصفحة الأولى
console-records-next = التالي ({ $n })
console-records-files = القائمة ملفًا (2000 سجل على الأكثر، وما اقتُطع يُذكر فيه):
console-records-keep = رابط هذه القائمة كما هي معروفة الآن
console-records-tabs = صفحات هذا السجل
console-records-tab-record = السجل
console-records-tab-history = التاريخ
console-records-tab-fields = من أدخل ماذا
console-records-tab-proof = تحقق الآن
console-records-tab-evidence = تنزيل الدليل
console-records-withheld-title = بعض محتواه غير معروض لك
console-records-withheld-text = لا يطّلع على هوية المسافرين وموضوع تعاميم البحث إلا من يقتضي عمله ذلك. ولا ينقص السجل شيء. غير المعروض:
console-records-begun = بدأ
console-records-last = آخر واقعة
console-records-local_only = محفوظ في هذه العقدة وحدها حتى الآن
console-records-carried = محفوظ في عقدة أخرى أيضًا ولم يصل المركز بعد
console-records-at_hub = محفوظ في المركز
console-records-as-of = السجل كما كان عند قيد
console-records-as-of-text = كما رآه من اطّلع على ذلك القيد وما بُني عليه. ولا تظهر الحجوزات التي كانت توقفه حينها.
console-records-as-of-choose = القيد
console-records-as-of-show = عرض
console-records-as-of-this = السجل كما كان هنا
console-records-step-earlier = القيد السابق
console-records-step-later = القيد اللاحق
console-records-to-now = كما هو الآن
console-records-known-record = السجل كما كان معروفًا لدى هذه العقدة في
console-records-known-record-text = من القيود التي كانت قد استلمتها حتى ذلك الوقت.
console-records-why = لماذا هو على هذه الحال
console-records-why-held = موقوف: { $hold }، بطلب من { $who }
console-records-why-held-unread = موقوف بحجز من نوع لا تُتاح لك قراءته
console-records-hold-unknown = نوع حجز لا يعرفه هذا الإصدار
console-records-by-machine = جهاز
console-records-the-hold = الحجز
console-records-through = عن طريق السجل
console-records-since = منذ
console-records-why-unfounded = { $event }، دون: { $lacks }
console-records-lack-assessment = تقدير للرسم
console-records-lack-declared-goods = تصريح عن البضاعة برمزها ووزنها وقيمتها
console-records-lack-registration = تسجيل
console-records-lack-reason-to-lower = سبب من مشرف لتقدير أقل مما كان
console-records-lack-reason-below-items = سبب من مشرف لتقدير أقل مما تذكره الأصناف
console-records-lack-settled-fields = حسم القيم المتنازع عليها
console-records-lack-answer = إجابة عن الاستفسار
console-records-lack-release = إفراج
console-records-lack-clearance = إجازة مرور
console-records-lack-closed-check = إغلاق التدقيق
console-records-lack-check-of-an-anomaly = النظر في الشذوذ
console-records-why-contested = { $n ->
    [one] حقل واحد فيه قيم متعارضة
    [two] حقلان فيهما قيم متعارضة
    [few] { $n } حقول فيها قيم متعارضة
   *[other] { $n } حقلًا فيها قيم متعارضة
}
console-records-why-refused = { $n ->
    [one] قيد واحد لا يُعتد به: لم يكن لصاحبه الحق فيه
    [two] قيدان لا يُعتد بهما: لم يكن لصاحبيهما الحق فيهما
    [few] { $n } قيود لا يُعتد بها: لم يكن لأصحابها الحق فيها
   *[other] { $n } قيدًا لا يُعتد بها: لم يكن لأصحابها الحق فيها
}
console-records-why-refused-fields = { $n ->
    [one] قيمة واحدة أُدخلت دون حق ولا يُعتد بها
    [two] قيمتان أُدخلتا دون حق ولا يُعتد بهما
    [few] { $n } قيم أُدخلت دون حق ولا يُعتد بها
   *[other] { $n } قيمة أُدخلت دون حق ولا يُعتد بها
}
console-records-why-changed = { $n ->
    [one] قيمة واحدة عُدّلت بعد أن بُني عليها
    [two] قيمتان عُدّلتا بعد أن بُني عليهما
    [few] { $n } قيم عُدّلت بعد أن بُني عليها
   *[other] { $n } قيمة عُدّلت بعد أن بُني عليها
}
console-records-why-after-assessment = { $n ->
    [one] حقل قانوني واحد أُدخل بعد تقدير الرسم
    [two] حقلان قانونيان أُدخلا بعد تقدير الرسم
    [few] { $n } حقول قانونية أُدخلت بعد تقدير الرسم
   *[other] { $n } حقلًا قانونيًا أُدخلت بعد تقدير الرسم
}
console-records-why-waiting = { $n ->
    [one] قيد واحد ينتظر قيودًا لم تصل بعد
    [two] قيدان ينتظران قيودًا لم تصل بعد
    [few] { $n } قيود تنتظر قيودًا لم تصل بعد
   *[other] { $n } قيدًا تنتظر قيودًا لم تصل بعد
}
console-records-why-reversals = { $n ->
    [one] قيد واحد يحمل وقتًا أسبق مما بُني عليه
    [two] قيدان يحملان وقتًا أسبق مما بُنيا عليه
    [few] { $n } قيود تحمل أوقاتًا أسبق مما بُنيت عليه
   *[other] { $n } قيدًا تحمل أوقاتًا أسبق مما بُنيت عليه
}
console-records-why-warning = يبدو فيه خطأ:
console-records-group-vehicle = المركبة
console-records-group-load = الحمولة
console-records-group-persons = المسافرون
console-records-group-papers = الأوراق
console-records-group-hold = الحجز
console-records-group-journey = الرحلة وغيرها
console-records-refused-fields = قيم لا يُعتد بها
console-records-changed-after = ما عُدّل بعد أن بُني عليه
console-records-more = … و{ $n } أخرى
console-records-weighings = الوزنات: القائم، وأمامه وزن الفارغ
console-records-custody = مسار الحجز
console-records-hold-open = قائم
console-records-hold-ended = منتهٍ
console-records-hold-again = قائم من جديد منذ
console-records-events = ما حدث
console-records-no-events = لم تُسجّل أي واقعة.
console-records-events-left-out = { $n ->
    [one] واقعة واحدة أقدم في صفحة التاريخ
    [two] واقعتان أقدم في صفحة التاريخ
    [few] { $n } وقائع أقدم في صفحة التاريخ
   *[other] { $n } واقعة أقدم في صفحة التاريخ
}
console-records-no-count = لا يُعتد به
console-records-quarantined = معزول: ورد بعد قطع السجل أو في فرع آخر منه
console-records-findings = الملاحظات الرقابية عليه
console-records-related = سجلات ذات صلة
console-records-related-cut = هناك المزيد: يمكن البحث بما يجمعها.
console-records-document = الوثيقة كاملة بكل تعديلاتها (Automerge)
console-records-history-count = { $n ->
    [one] قيد واحد.
    [two] قيدان، كل قيد تحت ما بُني عليه.
    [few] { $n } قيود، كل قيد تحت ما بُني عليه.
   *[other] { $n } قيدًا، كل قيد تحت ما بُني عليه.
}
console-records-history-branches = وحيث تتفرع المسارات كتب أشخاص دون أن يرى بعضهم قيود بعض.
console-records-col-lanes = المسارات
console-records-col-said = ما قيل ومن قاله
console-records-col-when = متى
console-records-col-what = الواقعة
console-records-col-place = المكان
console-records-temperatures = درجات الحرارة
console-records-moves = أماكن انتظار البضاعة والمركبة
console-records-knew = ما كان لصاحبه أن يعلمه
console-records-knew-all = كانت كل قيود السجل التي أدخلها غيره حتى ذلك الوقت على الشاشة.
console-records-knew-not = أدخلها غيره ولم تكن على الشاشة: القيود
console-records-knew-hold = كان قد وصل إلى عقدة صاحب القيد
console-records-knew-claimed-hold = كان قد وصل بحسب ما تزعمه عقدة صاحب القيد، وليس هنا ما يثبت ذلك
console-records-knew-no-hold = لم يكن قد وصل إلى عقدة صاحب القيد
console-records-more-of-entry = الاستلام والشهود وما بُني عليه
console-records-signed = موقّع بمفتاح الموظف نفسه { $key }
console-records-unsigned = غير موقّع من الموظف
console-records-badly-signed = توقيع الموظف نفسه غير صحيح
console-records-received = استُلم هنا
console-records-witnessed = شهد عليه
console-records-nobody-yet = لا أحد بعد
console-records-safety = الحفظ
console-records-not-before = ليس قبل، بوقت المركز
console-records-not-after = ليس بعد، بوقت المركز
console-records-based-on = بُني على
console-records-history-earlier = قيود أقدم
console-records-history-later = قيود أحدث
console-records-later-minutes = { $n ->
    [one] أُدخل بعد دقيقة
    [two] أُدخل بعد دقيقتين
    [few] أُدخل بعد { $n } دقائق
   *[other] أُدخل بعد { $n } دقيقة
}
console-records-later-hours = { $n ->
    [one] أُدخل بعد ساعة
    [two] أُدخل بعد ساعتين
    [few] أُدخل بعد { $n } ساعات
   *[other] أُدخل بعد { $n } ساعة
}
console-records-later-days = { $n ->
    [one] أُدخل بعد يوم
    [two] أُدخل بعد يومين
    [few] أُدخل بعد { $n } أيام
   *[other] أُدخل بعد { $n } يومًا
}
console-records-clock-behind = الساعة متأخرة { $n } دقيقة عن قول المركز
console-records-clock-ahead = الساعة متقدمة { $n } دقيقة على قول المركز
console-records-no-fields = لم يُدخل أي حقل قط.
console-records-col-field = الحقل
console-records-col-value = القيمة
console-records-col-by = بواسطة
console-records-col-entry = القيد
console-records-setting-stands = قائمة
console-records-setting-contested = متنازع عليها
console-records-setting-replaced = استُبدلت
console-records-setting-refused = غير مقبولة
console-records-proof-title = إثبات { $id }
console-records-proof-holds = الإثبات صحيح
console-records-proof-fails = الإثبات غير صحيح
console-records-proof-valid = قيود السجل: { $n }، يشهد المركز على { $hub } منها. إثباتات على تفرّع سجل: { $forks }.
console-records-proof-invalid = أخفقت إحدى الخطوات. لا يُعتمد على هذا الملف، ويُبلّغ مشغّل العقدة.
console-records-proof-passed = اجتازت
console-records-proof-failed = أخفقت
console-records-proof-not_reached = لم تُجرَ
console-records-proof-read = الملف مقروء
console-records-proof-read-text = { $n } بايت بصيغة الدليل التي يعرفها هذا الإصدار.
console-records-proof-whole = لا نقص ولا تغيير
console-records-proof-whole-text = { $n } سطرًا هي نفسها التي خُتم عليها.
console-records-proof-members = الموقّعون أعضاء
console-records-proof-members-text = { $n } شهادة عضوية، كل منها موقّعة بالمفتاح الجذر للهيئة.
console-records-proof-checkpoints = سجلاتهم ثُبّتت في وقتها
console-records-proof-checkpoints-text = { $n } من رؤوس السجلات الموقّعة، وتوقيعات المركز عليها صحيحة.
console-records-proof-entries = كل قيد قائم في سجله
console-records-proof-entries-text = { $n } قيدًا، لكل منها مسار إثبات إلى رأس موقّع: لم يُضف شيء ولم يُحذف ولم يُعدّل لاحقًا.
console-records-proof-seal = صانع الملف وقّعه
console-records-proof-seal-text = الصانع عضو، وتوقيعه على الملف كله صحيح.
console-records-proof-record = كله عن هذا السجل
console-records-proof-record-text = كل قيد يخص هذا السجل، وواحد منها يبدؤه.
console-records-proof-complete = لم يُترك ما بُني عليه
console-records-proof-complete-text = لا يستند أي قيد إلى قيد غير موجود في الملف.
console-records-proof-bytes = أُعدّت { $n } بايت وتُحقق منها الآن.
console-records-proof-made-by = أعدّه
console-records-proof-self = للتحقق بنفسك
console-records-proof-self-text = الملف يثبت نفسه بالمفتاح الجذر للهيئة وحده، على أي حاسوب ودون هذه الشبكة:
console-records-nothing = لا شيء
console-records-yes = نعم
console-records-no = لا
console-records-event-unread = واقعة تعذرت قراءتها
console-records-word-in = دخول
console-records-word-out = خروج
console-records-word-goods = بضائع
console-records-word-passengers = مسافرون
console-records-word-empty = فارغة
console-records-word-passed = مطابق
console-records-word-failed = غير مطابق
console-records-word-satisfactory = مطابقة
console-records-word-unsatisfactory = غير مطابقة
console-records-word-inconclusive = غير حاسمة
console-records-word-arrived = وصل
console-records-word-departed = غادر
console-records-unit-kg = كغم
console-records-unit-g = غم
console-records-unit-bytes = بايت
console-records-unit-l = لتر
console-records-unit-min = دقيقة
console-records-unit-celsius = درجة مئوية
console-records-unit-usvh = مايكروسيفرت في الساعة
console-records-unit-minor = بأصغر وحدة نقدية
console-records-member-reason = السبب
console-records-member-packages = الطرود
console-records-member-attester_department = دائرة المصادق
console-records-member-attested_by = المصادق
console-records-member-finding = الملاحظة
console-records-member-slot = الموضع
console-records-member-sample = العينة
console-records-member-result = النتيجة
console-records-member-lane = المسلك
console-records-member-gate = البوابة
console-records-member-device_seq = رقم قراءة الجهاز
console-records-member-temp_c = درجة الحرارة
console-records-member-seals = الأختام
console-records-member-order = الأمر
console-records-member-method = الطريقة
console-records-member-mass_g = الكتلة
console-records-member-holds = الحجوزات
console-records-member-evidence = الدليل
console-records-member-direction = الاتجاه
console-records-member-device = الجهاز
console-records-member-until = حتى
console-records-member-token = الرمز
console-records-member-to = إلى
console-records-member-text = النص
console-records-member-test = الفحص
console-records-member-subject = الموضوع
console-records-member-source = المصدر
console-records-member-seizure_no = رقم المصادرة
console-records-member-second_officer = الموظف الثاني
console-records-member-signature = التوقيع
console-records-member-signed_at_ms = وقت التوقيع
console-records-member-seal_before = الختم قبلًا
console-records-member-read = القارئ
console-records-member-quantity = الكمية
console-records-member-place = المكان
console-records-member-outcome = الخلاصة
console-records-member-officer = الموظف
console-records-member-link = خط الاتصال
console-records-member-lab = المختبر
console-records-member-handler = المدرّب
console-records-member-due_at = موعد الاستحقاق
console-records-member-dog = الكلب
console-records-member-document_hash = بصمة الوثيقة
console-records-member-department = الدائرة
console-records-member-currency = العملة
console-records-member-component = المكوّن
console-records-member-check = التدقيق
console-records-member-bay = الموقف
console-records-member-battery_minutes = البطارية
console-records-member-witness = الشاهد
console-records-member-why = السبب
console-records-member-what = ما هو
console-records-member-weighing = الوزنة
console-records-member-visa = التأشيرة
console-records-member-version = الإصدار
console-records-member-undoes = يتراجع عن
console-records-member-type_of_hold = نوع الحجز
console-records-member-to_plate = إلى لوحة
console-records-member-ticket = القسيمة
console-records-member-target = المستهدف
console-records-member-tare_kg = وزن الفارغ
console-records-member-status = الحالة
console-records-member-states = الحالات
console-records-member-secondary = تدقيق ثانوي
console-records-member-seal_after = الختم بعدًا
console-records-member-scope = النطاق
console-records-member-scale = الميزان
console-records-member-sentence = الجملة
console-records-member-rule = القاعدة
console-records-member-resolution = الحسم
console-records-member-release_no = رقم الإفراج
console-records-member-registration_no = رقم التسجيل
console-records-member-record = السجل
console-records-member-receipt = الوصل
console-records-member-question = السؤال
console-records-member-query = الاستفسار
console-records-member-protocol = المحضر
console-records-member-proposal = الاقتراح
console-records-member-plate_raw = اللوحة كما قُرئت
console-records-member-plate = اللوحة
console-records-member-plant = المحطة
console-records-member-phase = الطور
console-records-member-passage = العبور
console-records-member-operator = المشغّل
console-records-member-occupancy = الإشغال
console-records-member-neutron = قراءة النيوترون
console-records-member-net_kg = الصافي
console-records-member-litres = اللترات
console-records-member-legal_basis = السند القانوني
console-records-member-item = الصنف
console-records-member-isotopes = النظائر
console-records-member-image_sha256 = بصمة الصورة
console-records-member-image_bytes = حجم الصورة
console-records-member-house = الدار
console-records-member-gross_kg = القائم
console-records-member-gamma = قراءة غاما
console-records-member-from = من
console-records-member-findings = الملاحظات
console-records-member-expires_at = ينتهي
console-records-member-entries = القيود
console-records-member-duty_minor = الرسم
console-records-member-dose_rate_usv_h = معدل الجرعة
console-records-member-documents = الوثائق
console-records-member-decision = القرار
console-records-member-contraband = ممنوعات
console-records-member-container = الحاوية
console-records-member-conditions = الشروط
console-records-member-clip_sha256 = بصمة المقطع
console-records-member-clip_bytes = حجم المقطع
console-records-member-clinic = العيادة
console-records-member-cleared_at = أُجيز في
console-records-member-check_out = المغادرة
console-records-member-check_in = الوصول
console-records-member-certificate = الشهادة
console-records-member-camera = الكاميرا
console-records-member-calibration_due = موعد المعايرة
console-records-member-biometric_score = درجة المطابقة الحيوية
console-records-member-axle_kg = المحاور
console-records-member-assignee = المكلّف
console-records-member-answer = الإجابة
console-records-member-anomaly = شذوذ
console-records-member-amount_minor = المبلغ
console-records-member-disposition = ما تبيّن منها
console-records-member-duplicate_of = مكررة للملاحظة
console-records-member-code = الرمز
