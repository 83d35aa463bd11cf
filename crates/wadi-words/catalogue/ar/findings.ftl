# حال الملاحظات الرقابية.

phase-PENDING = معلّقة
phase-FIRM = ثابتة
finding_state-OPEN = مفتوحة
finding_state-ASSIGNED = مُسندة إلى مدقق
finding_state-PENDING_RESOLUTION = بانتظار القرار
finding_state-RESOLVED = محسومة
finding_state-WAIVED = مصروف عنها النظر
disposition-true = مخالفة مثبتة
disposition-explained = لها ما يبررها
disposition-false_alarm = إنذار غير صحيح
disposition-duplicate = مكررة
