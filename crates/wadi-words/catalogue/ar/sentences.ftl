# ما تقوله الملاحظات الرقابية. كل رسالة جملة من جمل قاعدة، وقيمها كما تذكرها القاعدة في ملفها.


# لأي قاعدة.

sentence-more = { $n ->
    [one] (وأخرى من هذا النوع)
    [two] (واثنتان أخريان من هذا النوع)
    [few] (و{ $n } أخرى من هذا النوع)
   *[other] (و{ $n } أخرى من هذا النوع)
}
sentence-rest = { $n ->
    [one] ملاحظة واحدة أخرى من هذه القاعدة على السجل { $record }
    [two] ملاحظتان أخريان من هذه القاعدة على السجل { $record }
    [few] { $n } ملاحظات أخرى من هذه القاعدة على السجل { $record }
   *[other] { $n } ملاحظة أخرى من هذه القاعدة على السجل { $record }
}
sentence-cut = [لم يُنظر إلا في { $kinds }]
sentence-unheard = [لم يرد قط أي شيء من { $crossings }، فلا يُعرف ما جرى هناك]
sentence-cut-kind = { $taken } من أصل { $of } من السجلات التي نوعها «{ $kind }»
sentence-reason = السبب المذكور: { $reason }
sentence-no-reason = دون ذكر السبب
sentence-explained = زال سببها بما ورد بعدها
sentence-withheld = ما تذكره عن المسافر محجوب
sentence-R00-unreadable = تعذّرت قراءة السجل { $record }، فلم تُسأل عنه أي قاعدة
sentence-R00-failed = تعثرت القاعدة { $rule } ولم تستطع الحكم على السجل { $record }، ويبقى قائماً ما رصدته من قبل

# الحجز.

sentence-R01-unseen = رفع الموظف { $officer } الحجز { $hold } ولم يكن في وسعه أن يعلم بالحجز { $other } القائم على الهدف نفسه
sentence-R02-left = خرجت مركبة العبور { $passage } وعليها الحجز { $hold } قائماً
sentence-R02-left-with-goods = خرجت مركبة العبور { $passage } والحجز { $hold } قائم على ما تحمله من بضاعة { $goods }
sentence-R02-turned-back = أُعيدت مركبة العبور { $passage } من حيث أتت وعليها الحجز { $hold } قائماً
sentence-R02-turned-back-with-goods = أُعيدت مركبة العبور { $passage } من حيث أتت والحجز { $hold } قائم على ما تحمله من بضاعة { $goods }
sentence-R02-left-by-word = قيل إن مركبة العبور { $passage } خرجت قبل إيقاع الحجز { $hold }، وقد قُيّد ذلك والحجز قائم
sentence-R02-left-by-word-with-goods = قيل إن مركبة العبور { $passage } خرجت قبل إيقاع الحجز { $hold } على بضاعة { $goods }، وقد قُيّد ذلك والحجز قائم
sentence-R02-placed-by-word = خرجت مركبة العبور { $passage }، ثم قُيّد عليها لاحقًا الحجز { $hold } وقيل إنه سبق الخروج
sentence-R02-placed-by-word-with-goods = خرجت مركبة العبور { $passage }، ثم قُيّد لاحقًا الحجز { $hold } على بضاعة { $goods } وقيل إنه سبق الخروج
sentence-R02-released-by-word = خرجت مركبة العبور { $passage } والحجز { $hold } قائم بحسب كل ما قُيّد، ثم قُيّد إنهاؤه لاحقًا وقيل إنه سبق الخروج
sentence-R02-released-by-word-with-goods = خرجت مركبة العبور { $passage } والحجز { $hold } على بضاعة { $goods } قائم بحسب كل ما قُيّد، ثم قُيّد إنهاؤه لاحقًا وقيل إنه سبق الخروج
sentence-R02-let-out-alone = خرجت مركبة العبور { $passage } وعليها الحجز { $hold } قائماً، والموظف { $officer } الذي أخرجها يقول وحده إنها أُعيدت من حيث أتت
sentence-R02-let-out-alone-with-goods = خرجت مركبة العبور { $passage } والحجز { $hold } قائم على ما تحمله من بضاعة { $goods }، والموظف { $officer } الذي أخرجها يقول وحده إنها أُعيدت من حيث أتت
sentence-R02-ended-alone = دخلت مركبة العبور { $passage } البلاد بعد أن أنهى الموظف { $officer } وحده الحجز { $hold } ({ $event })، ولم يذكر غيره أن شيئاً أُنزل منها
sentence-R02-ended-alone-with-goods = دخلت مركبة العبور { $passage } البلاد بعد أن أنهى الموظف { $officer } وحده الحجز { $hold } على بضاعة { $goods } ({ $event })، ولم يذكر غيره أن شيئاً أُنزل منها
sentence-R10-sample = الحجز { $hold }: سُحبت العينة { $sample } ولم ترد لها نتيجة
sentence-R10-let-go = رُفع الحجز { $hold } ولم ترد نتيجة العينة { $sample } التي سُحبت له قبل ذلك
sentence-R10-hold = الحجز { $hold }: وُضع ولم ترد له نتيجة
sentence-R11-against = رُفع الحجز { $hold } مع وجود ما يخالف رفعه: { $event }
sentence-R11-said-after = رُفع الحجز { $hold }، ثم قيّد الموظف { $officer } لاحقًا ما يخالف رفعه وقيل إنه سبق الرفع: { $event }
sentence-R12-alarm = لم يُبت في الإنذار الإشعاعي على الحجز { $hold }
sentence-R12-innocent = نُسب إنذار الحجز { $hold } إلى إشعاع طبيعي، والبضاعة { $goods } ليست مما يحمله
sentence-R12-secondary = ثبت الإنذار الإشعاعي على الحجز { $hold } ولم يُستكمل الفحص الثانوي
sentence-R18-left = رُفع الحجز { $hold } ولم تُخرج بضاعته من المخزن
sentence-R18-under-hold = أخرج الموظف { $officer } بضاعة الحجز { $hold } من المخزن والحجز قائم
sentence-R18-surplus = الحجز { $hold }: { $unit ->
    [packages] عدد الطرود الداخلة إلى المخزن { $came }، والخارجة منه { $went }
   *[quantity] الكمية الداخلة إلى المخزن { $came }، والخارجة منه { $went }
}
sentence-R18-warm = الحجز { $hold }: بلغت الحرارة { $temp } °م في الموضع { $slot }، والحد المسموح به { $limit } °م

# البيانات الجمركية.

sentence-R03-declared = المصرّح به { $declared } كغم، والموزون { $weighed } كغم على مركبات العبور { $trucks }
sentence-R03-declared-itself = المصرّح به { $declared } كغم، والموزون { $weighed } كغم للبيان الجمركي { $entry }
sentence-R03-spread = السجل { $record }: { $times ->
    [zero] لا وزنات
    [one] وزنة واحدة
    [two] وزنتان
    [few] { $times } وزنات
   *[other] { $times } وزنة
}، من { $least } إلى { $most } كغم
sentence-R03-spread-of = السجل { $record }: { $times ->
    [zero] لا وزنات
    [one] وزنة واحدة
    [two] وزنتان
    [few] { $times } وزنات
   *[other] { $times } وزنة
} يختلف فيها { $what ->
    [tare] الوزن الفارغ
   *[net] الوزن الصافي
} من { $least } إلى { $most } كغم
sentence-R03-after-assessment = عُدّل بعد تقدير رسم البيان الجمركي { $entry }: { $fields }
sentence-R08-twice = { $what ->
    [declarant] مرجع المصرّح
    [transit] مرجع العبور (الترانزيت)
    [registration] رقم التسجيل
    [receipt] وصل القبض رقم
    [day] يوم المنفذ
   *[container] الحاوية
} { $value } في السجلين { $other } و{ $record } معاً
sentence-R08-day-twice = فُتح سجل اليوم { $date } مرتين في منفذ واحد: { $other } و{ $record }
sentence-R14-cancelled = دُفع رسم البيان الجمركي { $entry } مع أن البيان أُلغي
sentence-R14-cancel-requested = دُفع رسم البيان الجمركي { $entry } وطلب إلغائه قائم
sentence-R14-cancelled-when-gone = ألغى الموظف { $officer } البيان الجمركي { $entry } بعد أن خرجت مركبة العبور { $passage } ببضاعته
sentence-R14-amount = البيان الجمركي { $entry }: الرسم المقدّر { $assessed } { $currency }، والمدفوع { $paid } (بأصغر وحدات العملة)
sentence-R14-unpaid = أُفرج عن البيان الجمركي { $entry } دون دفع رسمه
sentence-R14-lowered = البيان الجمركي { $entry }: الرسم المقدّر عند الإفراج { $assessed }، وخُفّض بعده إلى { $lowered }، والمدفوع { $paid } (بأصغر وحدات العملة)
sentence-R14-other-currency = البيان الجمركي { $entry }: الرسم المقدّر عند الإفراج { $assessed } { $currency }، ثم صار بعده { $other } { $other_currency }، والمدفوع { $paid } { $currency } (بأصغر وحدات العملة)
sentence-R14-unduly = { $act ->
    [paid] قبض الموظف { $officer } رسم البيان الجمركي { $entry }
    [assessed] قدّر الموظف { $officer } رسم البيان الجمركي { $entry }
   *[released] أفرج الموظف { $officer } عن البيان الجمركي { $entry }
}: { $why }
sentence-R14-not-assessed = لم يكن رسمه قد قُدّر على ما كان عليه
sentence-R14-no-goods = لم يُصرَّح فيه عن بضاعة برمزها ووزنها وقيمتها
sentence-R14-not-registered = لم يكن قد سُجّل
sentence-R14-less-than-before = بأقل مما كان عليه أو بعملة أخرى، دون سبب من مشرف
sentence-R14-less-than-items = بأقل مما تذكره أصنافه، دون سبب من مشرف
sentence-R14-contested = كان فيه حقل ذو أثر قانوني متنازع على قيمته
sentence-R14-question = كان عليه استفسار لم يُجب عنه
sentence-R14-under-hold = أُفرج عن البيان الجمركي { $entry } والحجز { $hold } قائم عليه
sentence-R14-under-hold-said-after = أُفرج عن البيان الجمركي { $entry }، ثم قُيّد عليه لاحقًا الحجز { $hold } وقيل إنه سبق الإفراج
sentence-R14-under-hold-by-word = أُفرج عن البيان الجمركي { $entry } والحجز { $hold } قائم عليه بحسب كل ما قُيّد، ثم قُيّد إنهاؤه لاحقًا وقيل إنه سبق الإفراج
sentence-R16-items = البيان الجمركي { $entry }: عدد الطرود المصرّح به إجمالاً { $total }، ومجموعها في الأصناف { $items }
sentence-R16-unloaded = عدد الطرود المصرّح به { $declared }، وعدد المفرّغ من مركبات العبور { $trucks } هو { $unloaded }
sentence-R16-unloaded-from-more = عدد الطرود المصرّح به { $declared }، وعدد المفرّغ من مركبات العبور { $trucks } وعدد غيرها { $more } هو { $unloaded }
sentence-R16-unloaded-unheard = عدد الطرود المصرّح به { $declared }، وعدد المفرّغ من مركبة العبور { $truck } هو { $unloaded }، ولم يرد خبر عن حجز تخزَّن بموجبه: فليس في البيان الجمركي { $entry } ربط بالمركبة، وقد يكون الحجز مربوطاً بها وحدها
sentence-R16-reloaded = مركبة العبور { $truck }: عدد الطرود المفرّغة { $unloaded }، والمعاد تحميلها { $reloaded }
sentence-R16-counted = الحجز { $hold }: يُفترض أن يكون عدد الطرود في الموضع { $slot } هو { $held }، والمجرود { $counted }
sentence-R16-stored = عدد الطرود المفرّغة من { $source } هو { $unloaded }، والمخزون منها { $stored } للحجز { $holds }
sentence-R17-missing = صُرّح في البيان الجمركي { $entry } ببضاعة رمزها { $goods } ولم تُذكر لها شهادة
sentence-R17-reused = الشهادة { $certificate } سبق استعمالها للبيان الجمركي { $other }
sentence-R17-exceeded = تغطي الشهادة { $certificate } وزناً قدره { $covers } كغم، والمحتسب عليها { $used } كغم: { $records }
sentence-R17-exceeded-grams = تغطي الشهادة { $certificate } وزناً قدره { $covers } غم، والمحتسب عليها { $used } غم: { $records }
sentence-R19-uninspected = كان البيان الجمركي { $entry } في المسلك الأحمر وأُفرج عنه دون كشف
sentence-R19-lowered-refused = خُفف مسلك الرقابة للبيان الجمركي { $entry }: { $why }
sentence-R19-lowered = خُفف مسلك الرقابة للبيان الجمركي { $entry } دون ذكر السبب
sentence-R26-inland = دخلت مركبة العبور { $passage } إلى داخل البلاد ولم يُفرج عن البيان الجمركي { $entry } منذ ذلك الحين
sentence-R26-let-out-alone = خرجت مركبة العبور { $passage }، والموظف { $officer } الذي أخرجها يقول وحده إنها أُعيدت من حيث أتت، ولم يُفرج عن البيان الجمركي { $entry } منذ ذلك الحين
sentence-R27-open = العبور { $passage }: لم يُختتم الترانزيت { $transit }
sentence-R27-never-left = العبور { $passage }: دخل بالترانزيت { $transit }، ولا يذكر أحد أنه واصل سيره
sentence-R27-elsewhere = العبور { $passage }: كان مقرراً أن يُختتم الترانزيت { $transit } في منفذ { $exit }، واختُتم في منفذ { $ended }
sentence-R27-late = العبور { $passage }: اختُتم الترانزيت { $transit } متأخراً في { $ended }، بعد موعده { $hours ->
    [zero] بأقل من ساعة
    [one] بساعة واحدة
    [two] بساعتين
    [few] بـ{ $hours } ساعات
   *[other] بـ{ $hours } ساعة
}
sentence-R27-written-late = العبور { $passage }: دُوّن أن الترانزيت { $transit } اختُتم في { $ended }، وكان ذلك التدوين بعد موعده { $hours ->
    [zero] بأقل من ساعة
    [one] بساعة واحدة
    [two] بساعتين
    [few] بـ{ $hours } ساعات
   *[other] بـ{ $hours } ساعة
}
sentence-R28-undervalued = البضاعة { $goods }: القيمة المصرّح بها للكيلوغرام { $own }، ولدى مثيلاتها { $median } (بأصغر وحدات العملة)
sentence-R28-no-currency = البضاعة { $goods }: القيمة المصرّح بها للكيلوغرام { $own } دون عملة معروفة، ولدى مثيلاتها { $median } { $currency } (بأصغر وحدات العملة)

# المركبات وما تحمله.

sentence-R04-two-places = ظهر الرقم { $what } في منفذ { $there } وفي منفذ { $here } خلال { $minutes ->
    [zero] أقل من دقيقة
    [one] دقيقة واحدة
    [two] دقيقتين
    [few] { $minutes } دقائق
   *[other] { $minutes } دقيقة
}؛ والمسافة بينهما { $km } كم تستغرق { $needed ->
    [zero] أقل من دقيقة
    [one] دقيقة واحدة
    [two] دقيقتين
    [few] { $needed } دقائق
   *[other] { $needed } دقيقة
}
sentence-R05-after-exit = سُجّل لمركبة العبور { $passage } بعد خروجها من المنفذ: { $event }
sentence-R05-before-entry = سُجّل لمركبة العبور { $passage } قبل دخولها المنفذ: { $event }
sentence-R06-not-arrived = حُوّلت مركبة العبور { $passage } إلى منفذ { $to } ولم تصل إليه
sentence-R06-unannounced = وصلت مركبة العبور { $passage } من منفذ { $from } ولم يحوّل هذا المنفذ مركبة كهذه
sentence-R06-unannounced-from-unknown = وصلت مركبة العبور { $passage } محوّلةً دون ذكر المنفذ الذي حوّلها، ولم يحوّل أي منفذ مركبة كهذه
sentence-R07-two-plates = رقم شاصي واحد تحت لوحتين: { $theirs } و{ $own }
sentence-R07-two-numbers = للوحة { $plate } رقما شاصي: { $theirs } و{ $own }
sentence-R07-misread = قد تكون اللوحتان { $own } و{ $theirs } لمركبة واحدة أُخطئ في قراءة لوحتها
sentence-R09-missing = خرجت مركبة العبور { $passage } محمّلة ولم يُسجّل لحاويتها ختم رصاصي
sentence-R09-strange = وُجد الختم الرصاصي { $seals } على مركبة العبور { $passage } التي جاءت بأختام غيره
sentence-R09-reused = الختم الرصاصي { $seal } سبق أن أُغلقت به حمولة أخرى في العبور { $other }
sentence-R15-missing = { $missing ->
    [passage] ليس للبيان الجمركي { $record } عبور يشاركه اللوحة أو الحاوية أو المرجع
   *[customs-entry] ليس للعبور { $record } بيان جمركي يشاركه اللوحة أو الحاوية أو المرجع
}
sentence-R15-gone = لا يجمع العبور { $truck } بالبيان الجمركي { $entry } إلا رابط، وكان العبور { $own } قد خرج بكل ما صُرّح به فيه
sentence-R31-left = سمح الموظف { $officer } بخروج ما يخص السجل { $record } { $lack ->
    [clearance] من دون إجازة مرور سارية
    [closed-check] قبل إغلاق تدقيق مفتوح عليه
    [anomaly] بعد أن أظهر الفحص بالأشعة شذوذاً لم ينظر فيه أحد
   *[release] قبل الإفراج عنه
}؛ { $why }
sentence-R31-beside = خرج ما يخص السجل { $record }، وعلى السجل { $other }، وهو سجل آخر لمكوث المركبة نفسها، { $lack ->
    [closed-check] تدقيق ما زال مفتوحاً
   *[anomaly] شذوذ أظهره الفحص بالأشعة ولم ينظر فيه أحد
}
sentence-R31-let-out-alone = سمح الموظف { $officer } بخروج ما يخص السجل { $record } { $lack ->
    [clearance] من دون إجازة مرور
    [closed-check] قبل إغلاق تدقيق مفتوح عليه
   *[anomaly] بعد أن أظهر الفحص بالأشعة شذوذاً لم ينظر فيه أحد
}، ويقول وحده إن المركبة أُعيدت من حيث أتت

# الأجهزة والساعات.

sentence-R20-repeat = أعطى الجهاز { $device } الرقم { $number } { $times ->
    [zero] ولا مرة
    [one] مرة واحدة
    [two] مرتين
    [few] { $times } مرات
   *[other] { $times } مرة
}
sentence-R20-gap-of-one = أعطى الجهاز { $device } الرقم { $number }، والرقم { $missing } مفقود
sentence-R20-gap = أعطى الجهاز { $device } الرقم { $number }، والأرقام من { $first } إلى { $last } مفقودة
sentence-R20-anew = بدأ الجهاز { $device } العد من جديد: تشغيله { $run } بعد { $kind ->
    [first] التشغيل الأول
   *[named] { $before }
}
sentence-R20-reversed = تذكر العقدة { $node } أنها كتبت قيداً قبل كتابة ما اطلعت عليه بمدة { $seconds ->
    [zero] تقل عن ثانية
    [one] ثانية واحدة
    [two] ثانيتين
    [few] { $seconds } ثوانٍ
   *[other] { $seconds } ثانية
}: إحدى الساعتين غير صحيحة
sentence-R20-outside = { $what ->
    [happened] تذكر العقدة { $node } أن ما في القيد وقع
   *[wrote] تذكر العقدة { $node } أنها كتبت القيد
} { $side ->
    [after] بعد أن استلمه المركز
   *[before] قبل وقت للمركز كانت قد ذكرته
} بمدة { $seconds ->
    [zero] تقل عن ثانية
    [one] ثانية واحدة
    [two] ثانيتين
    [few] { $seconds } ثوانٍ
   *[other] { $seconds } ثانية
}: إحدى الساعات غير صحيحة
sentence-R23-expired = جرى الوزن في السجل { $record } على الميزان { $scale } الذي انتهت مدة معايرته في { $due }
sentence-R24-container = رقم الحاوية { $container } غير صحيح بحسب المواصفة ISO 6346
sentence-R24-loading-unit = رقم وحدة التحميل { $container } غير صحيح بحسب المواصفة EN 13044-1: رقم التحقق فيه { $found } والصواب { $expected }
sentence-R24-vin-check = رقم الشاصي { $vin }: رقم التحقق فيه غير صحيح بحسب المواصفة ISO 3779 المعمول بها في أمريكا الشمالية والصين
sentence-R24-vin = رقم الشاصي { $vin } غير صحيح بحسب المواصفة ISO 3779
sentence-R24-document = وثيقة المسافر { $n }: لم تجتز المنطقة المقروءة آلياً أرقام التحقق بحسب المواصفة ICAO 9303
sentence-R24-other = تنبيه: { $warning }

# الأشخاص.

sentence-R21-refused = صدر عن الموظف { $officer } على السجل { $record }: { $event }؛ ورُفض: { $why }
sentence-R21-refused-field = أدخل { $actor } قيمة في «{ $field }» على السجل { $record }، ورُفضت: { $why }
sentence-R21-revoked = صدر عن الموظف { $officer } على السجل { $record } بعد انتهاء تسجيله: { $event }
sentence-R21-key = صدر عن الموظف { $officer } على السجل { $record } بتوقيع مفتاح له كان قد سُحب: { $event }
sentence-R21-foreign = قيد على السجل { $record } لا يُعتد به: { $why }
sentence-R21-foreign-record = السجل { $record } فتحه منفذ آخر باسم هذا المنفذ: { $why }
sentence-R21-elsewhere = صدر عن الموظف { $officer } على السجل { $record } في منفذ ليس مسجلاً فيه: { $event }
sentence-R21-token-twice = استُعمل رمز إفراج واحد مرتين على الحجز { $hold }
sentence-R21-token-elsewhere = رمز الإفراج المستعمل على الحجز { $hold } سبق استعماله على الحجز { $other }
sentence-R21-off-shift = صدر عن الموظف { $officer } على السجل { $record } خارج وقت مناوبته: { $event }
sentence-R22-attested = الموظف { $officer } هو من قام بالإجراء على السجل { $record } وهو نفسه { $role ->
    [attested_by] المصادق عليه
    [second_officer] الموظف الثاني فيه
   *[witness] الشاهد عليه
}: { $event }
sentence-R22-attested-by-word = قيّد { $by } أن الموظف { $named } هو من قام بالإجراء على السجل { $record } وهو نفسه { $role ->
    [attested_by] المصادق عليه
    [second_officer] الموظف الثاني فيه
   *[witness] الشاهد عليه
}: { $event }
sentence-R25-in-twice = حامل الوثيقة { $document }… دخل مرتين ولم يخرج بينهما
sentence-R25-out-twice = حامل الوثيقة { $document }… خرج مرتين ولم يدخل بينهما
sentence-R25-not-admitted = حامل الوثيقة { $document }… قدم ضمن العبور { $listed } ولم يُسمح له بالدخول حين سُمح لغيره من ركابه، ثم وُجد داخل البلاد بحسب العبور { $seen }
sentence-R25-vehicle-twice = المركبة { $plate }: دخلت بالعبور { $first } ثم بالعبور { $second }، ولم تخرج بينهما
sentence-R25-vehicle-written-late = المركبة { $plate }: دخلت بالعبور { $first } ثم بالعبور { $second }، ولم يُدوَّن خروجها بينهما إلا بعد ذلك
sentence-R30-forced = فتح الموظف { $officer } البوابة بالتجاوز { $times ->
    [zero] ولا مرة
    [one] مرة واحدة
    [two] مرتين
    [few] { $times } مرات
   *[other] { $times } مرة
} خلال { $hours ->
    [zero] أقل من ساعة
    [one] ساعة واحدة
    [two] ساعتين
    [few] { $hours } ساعات
   *[other] { $hours } ساعة
}
sentence-R30-entered = دوّن الموظف { $officer } فتح البوابة بالتجاوز { $times ->
    [zero] ولا مرة
    [one] مرة واحدة
    [two] مرتين
    [few] { $times } مرات
   *[other] { $times } مرة
} خلال { $hours ->
    [zero] أقل من ساعة
    [one] ساعة واحدة
    [two] ساعتين
    [few] { $hours } ساعات
   *[other] { $hours } ساعة
}، وذكر أنها وقعت في أوقات أكثر تباعداً
sentence-R32-changed = عدّل الموظف { $officer } «{ $field }» في السجل { $record } من { $before } إلى { $value } { $ground }؛ { $why }
sentence-R32-changed-among = عدّل الموظف { $officer } «{ $field }» في السجل { $record } من { $before } إلى { $value } { $ground }؛ { $why }؛ وعدد أمثال هذا التعديل في السجل { $n } ولم تُذكر كلها
sentence-R32-captured = أدخل الموظف { $officer } القيمة { $value } في «{ $field }» في السجل { $record } ولم تكن فيه قيمة، { $ground }؛ { $why }
sentence-R32-assessed = بعد تقدير الرسم
sentence-R32-paid = بعد سداد الرسم
sentence-R32-released = بعد الإفراج
sentence-R32-cleared = بعد إجازة المرور
sentence-R32-admitted = بعد السماح للمسافر بالدخول
sentence-R32-left = بعد خروجها من المنفذ
sentence-R32-let-go = بعد رفع الحجز بشروط
sentence-R32-adjudicated = بعد البت في الإنذار
sentence-R32-linked = بعد ربطه بسجل آخر
sentence-R32-hold = وكان الحجز { $hold } مستنداً إليه
sentence-R32-entry = وكان البيان الجمركي { $entry } مستنداً إليه
sentence-R32-voided = ألغى الموظف { $officer } السجل { $record } بوصفه مدوّناً خطأً، وكان غيره قد دوّن عليه قبل ذلك: { $event }؛ { $why }
sentence-R32-held-goods = وكان الحجز { $hold } على بضاعة البيان الجمركي { $goods } مستنداً إليه

# السجلات.

sentence-R13-contested = في «{ $field }» { $n ->
    [zero] قيم
    [one] قيمة واحدة
    [two] قيمتان
    [few] { $n } قيم
   *[other] { $n } قيمة
} أُدخلت كل منها دون علم بالأخرى: { $values }
sentence-R29-differ = لدى { $one } و{ $other } القيود نفسها من { $scope }، وآلت السجلات فيهما إلى نتيجتين مختلفتين
sentence-R33-differs = رفعت العقدة { $node } الحجز { $hold } وتزعم أنها اطلعت على { $size } قيداً من سجل العقدة { $other }، والقيود الأولى فيه غيرها
sentence-R33-decided-differs = دوّنت العقدة { $node } على السجل { $record }: { $event }، وتزعم أنها اطلعت على { $size } قيداً من سجل العقدة { $other }، والقيود الأولى فيه غيرها
sentence-R33-decided-missing = دوّنت العقدة { $node } على السجل { $record }: { $event }، وتزعم أنها اطلعت على { $size } قيداً من سجل العقدة { $other }، وقيوده أقل من ذلك
sentence-R33-missing = رفعت العقدة { $node } الحجز { $hold } وتزعم أنها اطلعت على { $size } قيداً من سجل العقدة { $other }، وقيوده أقل من ذلك
