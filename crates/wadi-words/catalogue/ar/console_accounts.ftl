# الدخول والحسابات ومن اطّلع على ماذا.

console-sign-in-account = الحساب
console-sign-in-password = كلمة المرور
console-sign-in-other-way = الدخول برمز
console-sign-in-passkey = الدخول بمفتاح مرور
console-sign-in-passkey-failed = لم يتم الدخول بمفتاح مرور. حاول مرة أخرى أو ادخل بكلمة المرور.
console-sign-in-wait = { $n ->
    [one] حاول مرة أخرى بعد ثانية واحدة
    [two] حاول مرة أخرى بعد ثانيتين
    [few] حاول مرة أخرى بعد { $n } ثوانٍ
   *[other] حاول مرة أخرى بعد { $n } ثانية
}.
console-sign-in-wait-minutes = { $n ->
    [one] حاول مرة أخرى بعد دقيقة واحدة
    [two] حاول مرة أخرى بعد دقيقتين
    [few] حاول مرة أخرى بعد { $n } دقائق
   *[other] حاول مرة أخرى بعد { $n } دقيقة
}.
console-invitation-title = اختيار كلمة المرور
console-invitation-rule = { $n } حرفاً على الأقل؛ ويحسن أن تكون بضع كلمات لا يجمعها غيرك. ولا يُشترط فيها شيء آخر.
console-invitation-password = كلمة المرور
console-invitation-again = كلمة المرور مرة أخرى
console-invitation-choose = اعتماد والدخول
console-invitation-ask = اطلب من مشغّل هذه العقدة رابطاً آخر.
console-link-title = الدخول برابط
console-link-text = يُدخلك هذا الرابط مرة واحدة، في هذا المتصفح.
console-people-title = حسابك
console-people-ways = الأشخاص في هذه العقدة
console-people-changed = تغيّرت كلمة المرور، وانتهت جلساتك الأخرى.
console-people-by-token = دخلت برمز لا بحساب: فليست له كلمة مرور، ومن ينهيه هو مشغّل العقدة.
console-people-person = الشخص
console-people-sessions = الجلسات
console-people-this-one = هذه الجلسة
console-people-from = من عنوان
console-people-began = بدأت
console-people-ends = تنتهي
console-people-acts = إجراءات
console-people-end = إنهاء
console-people-password = تغيير كلمة المرور
console-people-password-ends = تنتهي به جلساتك الأخرى.
console-people-old = كلمة المرور الحالية
console-people-new = كلمة المرور الجديدة
console-people-change = تغيير
console-people-passkeys = مفاتيح المرور
console-people-passkeys-where = يُدخلك مفتاح المرور بجهازك مع رقمه السري أو بصمتك أو وجهك، بدلاً من كلمة المرور. ويُضاف ويُستعمل في { $what } من متصفح يدعمه.
console-people-passkeys-off = لم تعد هذه العقدة تتيح مفاتيح المرور: فلا تُدخل هذه أحداً.
console-people-passkey-name = الاسم
console-people-passkey-created = أُضيف
console-people-passkey-used = آخر استعمال
console-people-passkey-never = لم يُستعمل
console-people-passkey-copied = منسوخ: لا يُدخل أحداً
console-people-passkey-add = إضافة مفتاح مرور
console-people-passkey-not-made = لم يُضف مفتاح مرور. حاول مرة أخرى؛ ويُطلب من الجهاز أن يتحقق ممن يستعمله.
console-people-passkey-remove = حذف مفتاح المرور
console-people-passkey-removed-ends = لا يُدخل { $what } أحداً بعد ذلك، وتنتهي الجلسات التي بدأت به.
console-people-passkey-keep = إبقاؤه
console-people-passkey-gone = حُذف في هذه الأثناء
console-people-when = الوقت
console-people-what = ما حدث
console-people-by = من قام به
console-people-older = الأقدم
console-accounts-title = الحسابات
console-accounts-none = لا حساب لأحد هنا بعد.
console-accounts-may = الصفة
console-accounts-state = الحالة
console-accounts-last = آخر دخول
console-accounts-sessions = الجلسات
console-accounts-paused = موقوف مؤقتاً، { $n } ثانية
console-accounts-lock = إقفال
console-accounts-unlock = فتح
console-accounts-remove = حذف
console-accounts-remove-title = حذف الحساب
console-accounts-removed-ends = لا يستطيع { $what } الدخول بعد ذلك، وتُحذف مفاتيح مروره، وتنتهي جلساته. ويبقى ما سُجّل باسمه.
console-accounts-keep = الإبقاء عليه
console-accounts-invite = دعوة
console-accounts-invite-officer = ضابط
console-accounts-invite-person = مشغّل أو مطّلع
console-accounts-officer = ضابط يسمّيه المركز
console-accounts-invited = دُعي { $what }
console-accounts-hand-over = سلّم هذا الرابط إلى الشخص نفسه لا إلى غيره. يعمل مرة واحدة خلال أسبوع، ولا يُعرض إلا الآن.
console-account-state-open = مفتوح
console-account-state-invited = مدعوّ
console-account-state-locked = مقفل
console-is-officer = ضابط
console-is-operator = مشغّل
console-is-reader = مطّلع
console-sign-ins-title = عمليات الدخول
console-sign-ins-none = لم يدخل أحد بعد.
console-sign-ins-unknown = لا حساب بهذا الاسم
console-sign-in-was-signed_in = دخول
console-sign-in-was-signed_out = خروج
console-sign-in-was-failed = محاولة فاشلة
console-sign-in-was-refused = مرفوض
console-sign-in-was-invited = دعوة
console-sign-in-was-password_set = اختيار كلمة مرور
console-sign-in-was-passkey_added = أُضيف مفتاح مرور
console-sign-in-was-passkey_removed = حُذف مفتاح مرور
console-sign-in-was-passkey_copied = مفتاح مرور منسوخ
console-sign-in-was-locked = إقفال
console-sign-in-was-unlocked = فتح
console-sign-in-was-removed = حذف
console-sign-in-by-password = بكلمة المرور
console-sign-in-by-passkey = بمفتاح مرور
console-sign-in-by-link = برابط
console-sign-in-by-invitation = بدعوة
console-looks-title = الاطّلاع على البيانات الشخصية
console-looks-none = لم يطّلع أحد.
console-looks-whole = { $n ->
    [0] لم يُسجَّل اطّلاع بعد.
    [one] سُجّل اطّلاع واحد، وهو سليم.
    [two] سُجّل اطّلاعان، والسلسلة سليمة: لم يُغيَّر سطر ولم يُحذف.
    [few] سُجّلت { $n } اطّلاعات، والسلسلة سليمة: لم يُغيَّر سطر ولم يُحذف.
   *[other] سُجّل { $n } اطّلاعاً، والسلسلة سليمة: لم يُغيَّر سطر ولم يُحذف.
}
console-looks-head = رأس السلسلة:
console-looks-told = { $n ->
    [0] لم يُبلَّغ المركز برأسها بعد.
    [one] وهي مطابقة للرأس الذي أُبلغ به المركز.
    [two] وهي مطابقة لرأسين أُبلغ بهما المركز.
    [few] وهي مطابقة لـ { $n } رؤوس أُبلغ بها المركز.
   *[other] وهي مطابقة لـ { $n } رأساً أُبلغ بها المركز.
}
console-looks-read-from = قُرئت من السطر { $n } فما بعده؛ ولم يُقرأ ما قبله منذ بدأت هذه العقدة.
console-looks-reading = السلسلة كلها قيد القراءة: { $n }٪.
console-looks-reading-again = تحديث
console-looks-read-whole = قُرئت السلسلة كلها آخر مرة في
console-looks-not-read = لم تُقرأ السلسلة كلها منذ بدأت هذه العقدة.
console-looks-read-do = قراءة السلسلة كلها
console-looks-broken = سلسلة الاطّلاع منقطعة
console-looks-broken-at = السطر { $n } لا يتبع ما قبله: غُيّر، أو حُذفت أسطر. احفظ قاعدة بيانات هذه العقدة وأخبر الهيئة.
console-looks-record = السجل
console-looks-what = ما شوهد
console-looks-token = بواسطة
console-looks-search = بحث
console-look-person = هوية مسافر
console-look-lookout = مطلوب في تعميم
