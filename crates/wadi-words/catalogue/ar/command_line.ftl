# ما يعلو الجداول التي يطبعها سطر الأوامر.

console-cli-head-finding = الملاحظة
console-cli-head-rule = القاعدة
console-cli-head-s = الخطورة
console-cli-head-phase = الثبوت
console-cli-head-state = الحال
console-cli-head-record = السجل
console-cli-head-what = المضمون
console-cli-head-id = المعرّف
console-cli-head-plate = اللوحة
console-cli-head-safe = موضع الحفظ
console-cli-head-builds-on = يبني على
console-cli-head-claimed = الوقت المذكور
console-cli-head-hub-time = وقت المركز
console-cli-head-node = العقدة
console-cli-head-who = من
console-cli-head-says = ما يقوله
console-cli-head-field = الحقل
console-cli-head-value = القيمة
console-cli-head-replaced = ما حلّ محله
console-cli-head-crossing = المنفذ
console-cli-head-heard-through = وصل ما قيل حتى
console-cli-head-behind = التأخر
console-cli-head-peer = النظير
console-cli-head-link = الوصلة
console-cli-head-last-contact = آخر اتصال
console-cli-head-they-lack = ينقصه
console-cli-head-in-step = متطابق
console-cli-head-rtt-ms = ذهابًا وإيابًا (ميلي ثانية)
console-cli-head-last-error = آخر خطأ

# قوائم الملاحظات والسجلات.

console-cli-findings-count = المعروض { $shown } من أصل { $count } ملاحظة
console-cli-more-with = وللمزيد
console-cli-held-by = بموجب

# ما كان معلومًا عند اتخاذ القرار.

console-cli-contested-by = مع
console-cli-knew = ما كان لصاحب القيد { $who } أن يعلمه
console-cli-history-left-out = { $field }: لا تُعرض أقدم القيم، وعددها { $count }
console-cli-history-withheld = غير معروض لأن رمز الدخول هذا لا يقرؤه: { $names }
console-cli-knew-not-shown = لم تعرض الشاشة { $entries }
console-cli-knew-hold = الحجز { $hold } كان قد وصل إلى هذه العقدة
console-cli-knew-hold-claimed = الحجز { $hold } كان قد وصل إلى هذه العقدة بحسب قولها: وليس هنا ما يثبت ذلك
console-cli-knew-hold-not = الحجز { $hold } لم يكن قد وصل إلى هذه العقدة
console-cli-knew-control = السياسات والموظفون حتى القيد { $size } من { $log }
console-cli-knew-control-claimed = السياسات والموظفون حتى القيد { $size } من { $log }: وليس هنا ما يثبت ذلك

# حال العقدة.

console-cli-counts = السجلات { $records }  القيود { $entries }  غير المرسل { $unsent }  المنتظر { $waiting }  المرفوض { $refused }  الملاحظات { $findings }
console-cli-oldest-unsent = أقدم قيد لم يصل إلى أي مركز: { $minutes } د
console-cli-expected-at-hub = يُتوقع وصوله إلى المركز: { $when }
console-cli-lane-unsent = { $unsent } من المسار { $lane }: { $when }
console-cli-carries = تحمل للمركز { $bytes } بايت من قيود العقد المجاورة
console-cli-alarm = إنذار
console-cli-alarm-at = إنذار في { $node } منذ { $time }
console-cli-forked = متفرع
console-cli-cut = مقطوع
console-cli-refused = مرفوض { $code }: { $why } ({ $subject })
console-cli-country = السجل الوطني { $origin }: أوراقه { $leaves }، شهد عليه { $cosigned } من أصل { $witnesses } من الشهود
console-cli-country-not-by = لم يشهد { $name }: { $why }
console-cli-not-asked = لم يُطلب منه بعد
console-cli-cost = { $node } { $state }: كلفته فوق المسموح ({ $over })، وينتهي ذلك بعد { $seconds } ث
console-cli-about = نحو { $when }
console-cli-about-by = نحو { $when } ({ $by })
console-cli-about-wrong = نحو { $when } ({ $by }، وكان خطأ مثل هذا التقدير { $minutes } د)
console-cli-by-hour-of-week = بحسب هذه الساعة من أسابيع سابقة
console-cli-by-hour-of-day = بحسب هذه الساعة من أيام سابقة
console-cli-by-pace = بحسب السرعة الحالية
console-cli-unknown = غير معلوم
console-cli-never = لم يحدث
console-cli-up = متصل
console-cli-up-sends = متصل، ويرسل { $lanes }
console-cli-up-sends-nothing = متصل، ولا يرسل شيئًا
console-cli-down = منقطع
console-cli-down-expected = منقطع، ويُتوقع نحو { $when }
console-cli-ago = قبل { $length }
console-cli-seconds = { $n } ث
console-cli-minutes = { $n } د
console-cli-hours = { $n } س
console-cli-days = { $n } يوم
