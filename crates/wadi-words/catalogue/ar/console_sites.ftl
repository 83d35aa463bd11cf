# صفحات لوحة المتابعة.

console-sites-as-of = الحالة في
console-sites-none-asks = لا شيء يستدعي التدخل
console-sites-ask = { $n ->
    [one] عقدة واحدة تستدعي النظر
    [two] عقدتان تستدعيان النظر
    [few] { $n } عقد تستدعي النظر
   *[other] { $n } عقدة تستدعي النظر
}
console-sites-map = خريطة العقد وروابطها بهذه العقدة؛ والجدول يقول ذلك نفسه كتابةً
console-sites-map-about = الخطوط روابط هذه العقدة. الحدود من Natural Earth والمواضع تقريبية.
console-sites-legend = معنى العلامات
console-sites-legend-dark = منقطع مدة لا تتجاوز المعتاد
console-sites-legend-flapping = متذبذب: بدأت ستة اتصالات أو أكثر خلال ساعة
console-sites-legend-unknown = لم يتصل بهذه العقدة قط
console-sites-own-alarms = إنذارات هذه العقدة
console-sites-unplaced = خارج الخريطة
console-sites-table = جميع العقد
console-sites-site = العقدة
console-sites-crossing = المنفذ
console-sites-link = الرابط
console-sites-link-own = هذه العقدة
console-sites-link-up = متصل
console-sites-link-dark = منقطع
console-sites-link-dark-usual = منقطع كالمعتاد
console-sites-link-late = منقطع أطول من المعتاد
console-sites-link-flapping = متذبذب
console-sites-link-unknown = غير معروف
console-sites-contacts-in-hour = { $n ->
    [one] اتصال واحد في الساعة الأخيرة
    [two] اتصالان في الساعة الأخيرة
    [few] { $n } اتصالات في الساعة الأخيرة
   *[other] { $n } اتصالاً في الساعة الأخيرة
}
console-sites-usually-dark = المعتاد حتى { $what }
console-sites-no-habit = لم تُعرف عادته بعد
console-sites-last-contact = آخر اتصال
console-sites-oldest-unsent = أقدم ما لم يُرسل
console-sites-oldest-unwitnessed = أقدم ما لم يُشهد عليه
console-sites-backlog = المتراكم
console-sites-expected = الوصول المتوقع
console-sites-clock-right = مطابقة لوقت المركز
console-sites-clock-ahead = متقدمة على المركز { $what }
console-sites-clock-behind = متأخرة عن المركز { $what }
console-expected-at-hub = يُتوقع في المركز نحو
console-expected-about = في المركز نحو
console-expected-link = يُتوقع الرابط نحو
console-expected-unknown = لا يُعرف متى يصل المركز
console-expected-by-hour_of_week = بحسب هذه الساعة في الأسابيع السابقة
console-expected-by-hour_of_day = بحسب هذه الساعة في الأيام السابقة
console-expected-by-pace = بحسب سرعة الرابط الآن
console-expected-was-right = وصدق مثل هذا التقدير من قبل
console-expected-wrong-by = بلغ خطأ مثل هذا التقدير { $what }
console-sites-verified = متحقق منه حتى
console-sites-clock = الساعة
console-sites-certificate = الشهادة
console-sites-certificate-ends = تنتهي الشهادة قريباً: جدّدها
console-sites-disk = القرص
console-sites-software = البرنامج
console-sites-refusals = المرفوضات
console-sites-unknown = غير معروف
console-sites-nothing = لا شيء
console-sites-none = لا يوجد
console-sites-not-applicable = –
console-sites-no-alarm = لا إنذار
console-sites-alarm-clock = موضع شك
console-sites-alarm-disk = متسع قليل
console-sites-to-send = { $n } للإرسال
console-sites-to-fetch = { $n } للاستلام
console-sites-over-in = يكتمل خلال { $what }
console-sites-over-unknown = لا يُعرف متى يكتمل
console-sites-lane-control = التحكم
console-sites-lane-hold = الحجوزات
console-sites-lane-customs = الجمارك
console-sites-lane-passage = العبور
console-sites-lane-site = أيام الموقع
console-sites-days = { $n ->
    [zero] أقل من يوم
    [one] يوم واحد
    [two] يومان
    [few] { $n } أيام
   *[other] { $n } يوماً
}
console-sites-hours = { $n ->
    [one] ساعة واحدة
    [two] ساعتان
    [few] { $n } ساعات
   *[other] { $n } ساعة
}
console-sites-minutes = { $n ->
    [one] دقيقة واحدة
    [two] دقيقتان
    [few] { $n } دقائق
   *[other] { $n } دقيقة
}
console-sites-seconds = { $n ->
    [zero] الآن
    [one] ثانية واحدة
    [two] ثانيتان
    [few] { $n } ثوانٍ
   *[other] { $n } ثانية
}
console-sites-no-such = لا توجد هنا عقدة باسم { $what }.
console-sites-since = منذ
console-sites-usual = الانقطاع المعتاد
console-sites-rtt = زمن الذهاب والإياب
console-sites-last-error = آخر خلل
console-sites-id = المعرّف
console-sites-do-resync = إعادة مزامنة…
console-sites-do-compare = مقارنة…
console-sites-chart-in-contact = متصل
console-sites-chart-contacts = أوقات الاتصال
console-sites-chart-sent = المرسَل
console-sites-chart-received = المستلَم
console-sites-chart-backlog = القيود التي تنقصه
console-sites-contacts = آخر الاتصالات
console-sites-no-contacts = لا اتصال محفوظ.
console-sites-began = بدأ
console-sites-lasted = دام
console-sites-links = الخطوط
console-sites-links-kind = الكلفة والغرض
console-sites-links-state = الحالة
console-sites-links-sends = ما يُرسَل عبره الآن
console-sites-links-month = هذا الشهر (بالتوقيت العالمي)
console-sites-links-flat = كلفة ثابتة
console-sites-links-metered = بحسب البايت
console-sites-links-urgent = للعاجل
console-sites-links-bulk = للكمّيات
console-sites-links-all = لكل شيء
console-sites-traffic = ما مرّ عبر الخط
console-sites-traffic-what = الغرض
console-sites-traffic-budget = الحد الأقصى { $what } في الشهر في الاتجاهين.
console-sites-traffic-today = مجموع اليوم (بالتوقيت العالمي)
console-sites-traffic-month = مجموع الشهر (بالتوقيت العالمي)
console-sites-traffic-handshake = إقامة الاتصال
console-sites-traffic-frontier = مقارنة ما لدى كل طرف
console-sites-traffic-blocks_control = قيود التحكّم
console-sites-traffic-blocks_hold = حالات الحجز
console-sites-traffic-blocks_customs = البيانات الجمركية
console-sites-traffic-blocks_passage = العبور
console-sites-traffic-blocks_site = أيام المنفذ
console-sites-traffic-acknowledgements = إشعارات الاستلام
console-sites-traffic-cosignatures = التواقيع المشتركة
console-sites-traffic-excerpts = سجلات محالة
console-sites-traffic-carried = منقول لحساب آخرين
console-sites-traffic-mending = المقارنة والإصلاح
console-sites-traffic-packets = ترويسات ونبضات وإعادة إرسال
