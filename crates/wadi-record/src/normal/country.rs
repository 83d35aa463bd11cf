//! Countries, and whatever else a travel document names instead of one.

use super::letters::{UNREAD, folded};

/// The codes of ISO 3166-1, of two letters and of three.
const ISO_3166: &str = "\
    ADAND AEARE AFAFG AGATG AIAIA ALALB AMARM AOAGO AQATA ARARG ASASM ATAUT AUAUS AWABW \
    AXALA AZAZE BABIH BBBRB BDBGD BEBEL BFBFA BGBGR BHBHR BIBDI BJBEN BLBLM BMBMU BNBRN \
    BOBOL BQBES BRBRA BSBHS BTBTN BVBVT BWBWA BYBLR BZBLZ CACAN CCCCK CDCOD CFCAF CGCOG \
    CHCHE CICIV CKCOK CLCHL CMCMR CNCHN COCOL CRCRI CUCUB CVCPV CWCUW CXCXR CYCYP CZCZE \
    DEDEU DJDJI DKDNK DMDMA DODOM DZDZA ECECU EEEST EGEGY EHESH ERERI ESESP ETETH FIFIN \
    FJFJI FKFLK FMFSM FOFRO FRFRA GAGAB GBGBR GDGRD GEGEO GFGUF GGGGY GHGHA GIGIB GLGRL \
    GMGMB GNGIN GPGLP GQGNQ GRGRC GSSGS GTGTM GUGUM GWGNB GYGUY HKHKG HMHMD HNHND HRHRV \
    HTHTI HUHUN IDIDN IEIRL ILISR IMIMN ININD IOIOT IQIRQ IRIRN ISISL ITITA JEJEY JMJAM \
    JOJOR JPJPN KEKEN KGKGZ KHKHM KIKIR KMCOM KNKNA KPPRK KRKOR KWKWT KYCYM KZKAZ LALAO \
    LBLBN LCLCA LILIE LKLKA LRLBR LSLSO LTLTU LULUX LVLVA LYLBY MAMAR MCMCO MDMDA MEMNE \
    MFMAF MGMDG MHMHL MKMKD MLMLI MMMMR MNMNG MOMAC MPMNP MQMTQ MRMRT MSMSR MTMLT MUMUS \
    MVMDV MWMWI MXMEX MYMYS MZMOZ NANAM NCNCL NENER NFNFK NGNGA NINIC NLNLD NONOR NPNPL \
    NRNRU NUNIU NZNZL OMOMN PAPAN PEPER PFPYF PGPNG PHPHL PKPAK PLPOL PMSPM PNPCN PRPRI \
    PSPSE PTPRT PWPLW PYPRY QAQAT REREU ROROU RSSRB RURUS RWRWA SASAU SBSLB SCSYC SDSDN \
    SESWE SGSGP SHSHN SISVN SJSJM SKSVK SLSLE SMSMR SNSEN SOSOM SRSUR SSSSD STSTP SVSLV \
    SXSXM SYSYR SZSWZ TCTCA TDTCD TFATF TGTGO THTHA TJTJK TKTKL TLTLS TMTKM TNTUN TOTON \
    TRTUR TTTTO TVTUV TWTWN TZTZA UAUKR UGUGA UMUMI USUSA UYURY UZUZB VAVAT VCVCT VEVEN \
    VGVGB VIVIR VNVNM VUVUT WFWLF WSWSM YEYEM YTMYT ZAZAF ZMZMB ZWZWE";

/// Codes of two letters that stand for a country or a union without being assigned in ISO 3166-1.
const TWO_LETTERS: [&str; 2] = ["EU", "XK"];
/// Codes that travel documents put for one of two letters (ICAO Doc 9303, part 3, section 5).
const ONE_OF_TWO: [(&str, &str); 4] = [("D", "DE"), ("EUE", "EU"), ("RKS", "XK"), ("XKX", "XK")];
/// Codes of travel documents that the crate which reads them does not know: those of the COMESA
/// and Interpol, and of the United Nations' mission in Kosovo.
const MORE_OF_ICAO: [&str; 3] = ["XCO", "XPO", "UNK"];
/// What specimens are issued by.
const UTOPIA: &str = "UTO";

fn pairs() -> impl Iterator<Item = (&'static str, &'static str)> {
    ISO_3166
        .split(' ')
        .filter_map(|pair| pair.split_at_checked(2))
}

/// A country for comparing: its two letters, where it has them, and else the code as it is. Fillers
/// of a machine-readable zone are left out: `D<<` is `DE`.
pub fn normalise_country(raw: &str) -> String {
    let code: String = folded(raw)
        .chars()
        .filter(|c| c.is_alphanumeric() || *c == UNREAD)
        .collect();
    let other = || ONE_OF_TWO.into_iter().find(|(three, _)| *three == code);
    let pair = pairs()
        .find(|(_, three)| *three == code)
        .map(|(two, _)| two);

    match pair.or_else(|| other().map(|(_, two)| two)) {
        Some(two) => two.into(),
        None => code,
    }
}

/// Whether ISO 3166 has this code of two letters, or it stands for a country nevertheless.
pub(super) fn is_country(code: &str) -> bool {
    TWO_LETTERS.contains(&code) || pairs().any(|(two, _)| two == code)
}

/// Whether this is a code of a country or, in travel documents, of whatever stands for one: an
/// organisation, a refugee, nobody's citizen.
pub(super) fn is_nationality(code: &str) -> bool {
    is_country(code) || mrz::country_name(code).is_some() || MORE_OF_ICAO.contains(&code)
}

/// What is strange about a code of a country, in a sentence. No list of countries is ever complete:
/// it is recorded all the same.
pub fn country_doubt(code: &str) -> Option<String> {
    let shown = code.trim_end_matches('<');
    if shown == UTOPIA {
        return Some(format!(
            "{shown}: the state of specimens (ICAO Doc 9303), which issues nothing"
        ));
    }

    (!is_nationality(shown)).then(|| {
        format!(
            "{shown}: neither ISO 3166 nor ICAO Doc 9303 has a state or organisation of that code"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_country_is_one_by_either_code() {
        assert_eq!(pairs().count(), 249);
        for (two, three) in pairs() {
            assert!(mrz::country_name(three).is_some(), "{two} {three}");
            assert_eq!(normalise_country(three), two);
            assert_eq!(normalise_country(two), two);
        }

        assert_eq!(normalise_country(" irq"), "IQ");
        assert_eq!(normalise_country("D<<"), "DE");
        assert_eq!(normalise_country("RKS"), "XK");
        assert_eq!(
            normalise_country("XXB"),
            "XXB",
            "no country has refugees for citizens"
        );
    }

    #[test]
    fn every_code_of_travel_documents_is_known() {
        for code in [
            "D<<", "GBD", "GBN", "GBO", "GBP", "GBS", "UNO", "UNA", "UNK", "XXA", "XXB", "XXC",
            "XXX", "EUE", "XOM", "RKS", "XPO", "XCC", "XCE", "XCO", "XEC", "XES", "XBA", "XIM",
            "XMP", "XDC", "IQ", "IRQ", "EU",
        ] {
            assert_eq!(country_doubt(code), None, "{code}");
        }

        for code in ["QQ", "ZZ", "AA", "ZZZ", "XYZ", "A", "UTO"] {
            assert!(country_doubt(code).is_some(), "{code}");
        }
    }
}
