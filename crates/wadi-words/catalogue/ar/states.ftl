# حالات السجلات وعلاماتها، بحسب نوع السجل.


# أي سجل.

state-OPEN = مفتوح
state-FOREIGN = فتحه منفذ آخر
state-UNREADABLE = تتعذر قراءته
state-CONTESTED = متنازع على قيمه
state-REFUSED_ACTS = فيه إجراءات مرفوضة
state-CHANGED_AFTER = عُدّل بعد اتخاذ قرار
state-DETAINED = موقوف بموجب حجز قائم

# العبور.

state-ANNOUNCED = مُعلن عنه
state-ADMITTED = دخل المنفذ
state-IN_PROCESS = قيد الإجراء
state-CLEARED = مجاز بالمرور
state-EXITED = خرج من المنفذ
state-TURNED_BACK = أُعيد من حيث أتى
state-DIVERTED = حُوّل إلى منفذ آخر
state-ARRIVED_ELSEWHERE = وصل إلى منفذ آخر
state-ABANDONED = متروك
state-VOID = ملغى لخطأ في التسجيل
state-CHECK_OPEN = تدقيق لم يُغلق
state-ANOMALY = شذوذ في صورة الفحص
state-DIVERTED_TWICE = حُوّل مرتين
state-FORCED_EXIT = خرج دون إجازة مرور
state-HANDED_OVER = أُحيل إلى منفذ آخر
state-VOIDED_AFTER_EXIT = أُلغي بعد الخروج
state-CANCELLED_AFTER_RELEASE = أُلغي بعد الإفراج

# الحجز.

state-PLACED = محجوز
state-SAMPLED = سُحبت منه عينة
state-RESULT_IN = وردت النتيجة
state-RELEASE_REQUESTED = طُلب رفع الحجز
state-CONDITIONAL = رُفع الحجز بشروط
state-REJECTED = مرفوض
state-RECALLED = تقرر استرجاعه
state-RELEASED = مُفرج عنه
state-RE_EXPORTED = أُعيد تصديره
state-DESTROYED = أُتلف
state-SEIZED = مُصادر
state-RELEASE_REFUSED = رُفض رفع الحجز
state-LOOKOUT = تعميم بحث

# البيانات الجمركية.

state-STORED = محفوظ ولم يُسجّل بعد
state-REGISTERED = مسجّل
state-ASSESSED = قُدّرت رسومه
state-PAID = مدفوع الرسوم
state-CANCELLED = ملغى
state-QUERY = استفسار مفتوح
state-CANCEL_REQUESTED = طُلب إلغاؤه
state-RELEASED_WHILE_OPEN = أُفرج عنه والاستفسار مفتوح
state-ASSESSED_UNDULY = قُدّر رسمه بأقل دون سبب من مشرف
state-PAID_UNDULY = دُفع دون تقدير صحيح
state-RELEASED_UNDULY = أُفرج عنه دون استيفاء ما يلزم
state-GREEN = المسلك الأخضر
state-BLUE = المسلك الأزرق
state-YELLOW = المسلك الأصفر
state-RED = المسلك الأحمر

# أيام المنفذ.

state-POWER_LOST = انقطاع الكهرباء
state-LINK_DOWN = انقطاع خط الاتصال
state-WATER_BREACH = المياه خارج الحدود المسموح بها
