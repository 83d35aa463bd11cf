# Departments at a crossing, types of hold, kinds of record.

department-OPS = operating investor
department-PORT = crossing directorate
department-CUS = customs
department-PAS = passports
department-AGR = agricultural quarantine
department-VET = veterinary quarantine
department-HLT = health
department-COS = standards and quality control
department-RAD = radiological protection
department-SEC = customs police and intelligence
department-K9 = dog unit
department-IT = information technology
department-HUB = the commission
hold_type-FOOD_EQUIPMENT = food and food equipment
hold_type-AGRICULTURAL = agricultural quarantine
hold_type-VETERINARY = veterinary quarantine
hold_type-MEDICAL = medical
hold_type-RADIOLOGICAL = radiological
hold_type-SECURITY = security
hold_type-CUSTOMS = customs
kind-passage = passage
kind-hold = hold
kind-customs-entry = customs entry
kind-site-day = site day
