//! Codes of currencies.

/// ISO 4217, with those that ended of late and stand in papers still.
const CODES: &str = "\
    AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BOV BRL BSD \
    BTN BWP BYN BZD CAD CDF CHE CHF CHW CLF CLP CNY COP COU CRC CUC CUP CVE CZK DJF DKK DOP \
    DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR \
    IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD \
    MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB \
    PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP \
    STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD USN UYI UYU UYW UZS VED \
    VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG";

/// What is strange about a code of a currency, in a sentence. A currency may be newer than this
/// list: it is recorded all the same.
pub(crate) fn currency_doubt(code: &str) -> Option<String> {
    (!is_currency(code)).then(|| format!("{code}: ISO 4217 has no currency of that code"))
}

/// Whether ISO 4217 has a currency of that code.
pub fn is_currency(code: &str) -> bool {
    CODES.split(' ').any(|known| known == code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn currencies_that_are_paid_in_are_known() {
        assert!(CODES.split(' ').all(|code| code.len() == 3), "{CODES}");
        for code in [
            "IQD", "SYP", "JOD", "IRR", "SAR", "KWD", "TRY", "USD", "EUR", "CNY",
        ] {
            assert_eq!(currency_doubt(code), None, "{code}");
        }

        for code in ["ZZZ", "XXX", "DEM", "IQDD", ""] {
            assert!(currency_doubt(code).is_some(), "{code}");
        }
    }
}
