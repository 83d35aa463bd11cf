# الدوائر العاملة في المنفذ، وأنواع الحجز، وأنواع السجلات.

department-OPS = المستثمر المشغّل
department-PORT = مديرية المنفذ
department-CUS = الجمارك
department-PAS = الجوازات
department-AGR = الحجر الزراعي
department-VET = الحجر البيطري
department-HLT = الصحة
department-COS = التقييس والسيطرة النوعية
department-RAD = الوقاية من الإشعاع
department-SEC = شرطة الجمارك والاستخبارات
department-K9 = وحدة الكلاب البوليسية
department-IT = تقنية المعلومات
department-HUB = هيئة المنافذ الحدودية
hold_type-FOOD_EQUIPMENT = أغذية ومعدات غذائية
hold_type-AGRICULTURAL = حجر زراعي
hold_type-VETERINARY = حجر بيطري
hold_type-MEDICAL = حجر صحي
hold_type-RADIOLOGICAL = حجز إشعاعي
hold_type-SECURITY = حجز أمني
hold_type-CUSTOMS = حجز جمركي
kind-passage = عبور
kind-hold = حجز
kind-customs-entry = بيان جمركي
kind-site-day = يوم المنفذ
