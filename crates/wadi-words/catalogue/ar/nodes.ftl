# أين تُحفظ القيود، وما يستدعي الانتباه في العقدة.

safety-local_only = في هذه العقدة وحدها
safety-carried = في عقدة أخرى لا في المركز
safety-at_hub = محفوظ في المركز
alarm-left_off = مهمة أُوقفت بعد تعثرها
alarm-set_aside = عمل نُحّي جانباً لأنه أوقف هذه العقدة من قبل
alarm-replica_digests = نسخ أكثر مما يُقارن
alarm-dossiers_cut = اقتُطع ملف أحد السجلات: ربما يُغرقه أحدهم عمداً
alarm-rules_failed = تعثرت قاعدة رقابية عند سجل
alarm-findings_held_back = ملاحظات أُجّل نشرها
alarm-spool = ملف في مجلد الإيداع لم يُقبل
alarm-clock = ساعة هذه العقدة موضع شك
alarm-entries_damaged = قيود تالفة أو مفقودة في هذا القرص
alarm-excerpts_damaged = قيود سجلات محالة إلى هذا المنفذ تالفة
alarm-database_damaged = قاعدة البيانات تالفة
alarm-tail_lost = فقدت قاعدة البيانات أحدث ما ثُبّت فيها
alarm-spare = يعدّ مركز هذه العقدة احتياطية وهي تعمل
alarm-cost = أُوقف عضو مؤقتاً لفرط ما يكلفه
alarm-disk_low = بقي في القرص متسع قليل
alarm-disk_full = القرص ممتلئ
