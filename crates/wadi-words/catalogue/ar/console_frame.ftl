# ما يحيط بكل صفحة من صفحات لوحة المتابعة.

console-language-name = العربية
console-frame-skip = إلى المحتوى
console-frame-parts = أقسام اللوحة
console-frame-signed-in = الداخل حاليًا
console-frame-sign-out = خروج
console-frame-to-beginning = إلى البداية
console-home-title = لوحة المتابعة
console-sign-in-title = الدخول
console-sign-in-token = رمز الدخول
console-sign-in-enter = دخول
console-part-today = اليوم
console-part-records = السجلات
console-part-findings = الملاحظات الرقابية
console-part-sites = المواقع
console-part-control = التشغيل
console-part-people = الأشخاص
