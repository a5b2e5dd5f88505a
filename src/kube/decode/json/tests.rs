use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::*;

/// A body that comes so many bytes at a time.
struct Pieces<'a>(&'a [u8], usize);

impl Read for Pieces<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let (now, later) = self.0.split_at(self.0.len().min(self.1).min(out.len()));
        out[..now.len()].copy_from_slice(now);
        self.0 = later;
        Ok(now.len())
    }
}

/// Wants the values of the keys that begin with `w`, and nothing behind a key that begins with `r`.
struct Wanting(Rc<Budget>);

impl<'de> Visitor<'de> for Wanting {
    type Value = Vec<(String, Value)>;

    fn expecting(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut wanted = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            if key.starts_with(['w', 'r']) {
                let is_last = key.starts_with('r');
                wanted.push((key, map.next_value()?));
                if is_last {
                    self.0.skip_rest();
                }
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(wanted)
    }
}

fn wanted(json: &str, piece: usize) -> Result<Vec<(String, Value)>, Error> {
    let budget = Rc::new(Budget::default());
    let mut json = Json::new(Pieces(json.as_bytes(), piece), Rc::clone(&budget));
    let wanted = json.deserialize_map(Wanting(budget))?;
    json.finish()?;
    Ok(wanted)
}

/// Whatever JSON has: each is read or jumped over.
const VALUES: [&str; 17] = [
    "0",
    "-1.5e3",
    "18446744073709551615",
    "true",
    "null",
    "\"\"",
    "\"text\"",
    r#""\"""#,
    r#""\\""#,
    r#""a\\\"],}b\u00e9\ud83d\ude00ü""#,
    "[]",
    "{}",
    "[[[]]]",
    r#"[1, "]", {"w": "}"}, "\"]"]"#,
    r#"{"w1": [], "\\": "{", "a": [{"b": "\\\""}]}"#,
    " \n[ 1 ,\t2 ] ",
    "[false,-7,{\"a\":{\"b\":[null]}}]",
];

#[test]
fn values_are_read_or_jumped_over_whatever_they_are_and_however_they_come() {
    for value in VALUES {
        for json in [
            format!(r#"{{"w":1,"a":{value},"w1":{value},"w2":"a"}}"#),
            format!("{{ \"w\" : 1 , \"a\" : {value} ,\n\"w1\" :{value},\"w2\":\"a\", \"b\" :{value}}}\n"),
        ] {
            let expect = [
                ("w".to_owned(), json!(1)),
                ("w1".to_owned(), serde_json::from_str(value).unwrap()),
                ("w2".to_owned(), json!("a")),
            ];
            for piece in 1..40 {
                let wanted = wanted(&json, piece).unwrap_or_else(|error| panic!("{json} by {piece}: {error}"));
                assert_eq!(wanted, expect, "{json} by {piece}");
            }
        }
    }
}

#[test]
fn the_rest_of_a_map_is_skipped_whatever_it_is() {
    let rests = ["", " ", r#","a":1"#, r#" , "w":"}", "a":[{"b":"\\\""}] "#, r#","w":{"w":{}},"w":[]"#];
    for (rest, piece) in rests.iter().flat_map(|rest| (1..40).map(move |piece| (rest, piece))) {
        let json = format!(r#"{{"w":1,"r":"text"{rest}}}"#);
        let wanted = wanted(&json, piece).unwrap_or_else(|error| panic!("{json} by {piece}: {error}"));
        assert_eq!(wanted, [("w".to_owned(), json!(1)), ("r".to_owned(), json!("text"))], "{json} by {piece}");
    }
    for json in [r#"{"r":"text","#, r#"{"r":"text""#, r#"{"r":"text","a":[}"#] {
        assert!(matches!(wanted(json, 3), Err(Error::Eof)), "{json}");
    }
}

#[test]
fn a_document_that_is_cut_off_is_told_from_one_that_is_wrong() {
    let json = r#"{"w":1,"w1":"a\u00e9","a":{"b":["c\"",{"d":"]"}],"e":12}, "w2":[true,{"x":null}]}"#;
    for end in 1..json.len() {
        let cut = &json[..end];
        // A word may be cut so that it is none.
        let is_cut =
            wanted(cut, 7).is_err_and(|error| matches!(error, Error::Eof) || cut.ends_with(['t', 'r', 'u', 'n', 'l']));
        assert!(is_cut, "{cut}");
    }
    for (json, what) in [
        (r#"{"a"}"#, "expected a colon at byte 4"),
        (r#"{"a":}"#, "expected value at byte 5"),
        (r#"{"w":}"#, "expected value at byte 5"),
        (r#"{"a":,"b":1}"#, "expected value at byte 5"),
        (r#"{"a" 1}"#, "expected a colon at byte 5"),
        (r#"{"a":1 2}"#, "expected a comma or the end at byte 7"),
        (r#"{"a":1{}}"#, "expected a comma or the end at byte 6"),
        ("{\"a\"\x0c:1}", "expected a colon at byte 4"),
        (r#"{"a":1,}"#, "trailing comma at byte 7"),
        (r#"{,"a":1}"#, "expected a key at byte 1"),
        (r#"{1:1}"#, "expected a key at byte 1"),
        (r#"{"w":[1,]}"#, "trailing comma at byte 8"),
        (r#"{"w":[1}"#, "expected a comma or the end at byte 7"),
        (r#"{"w":tru}"#, "expected value at byte 5"),
        (r#"{"w":01}"#, "expected value at byte 5"),
        (r#"{} {}"#, "trailing characters at byte 3"),
        ("hello", "expected value at byte 0"),
    ] {
        for piece in [1, 3, 100] {
            assert_eq!(wanted(json, piece).unwrap_err().to_string(), what, "{json}");
        }
    }
}

#[test]
fn strings_are_checked_where_they_are_wanted() {
    for json in ["{\"w\":\"a\nb\"}", r#"{"w":"\x"}"#, r#"{"w":"\ud800"}"#] {
        for piece in [1, 100] {
            assert!(matches!(wanted(json, piece), Err(Error::Syntax(_))), "{json}");
        }
        assert!(wanted(&json.replace('w', "a"), 100).is_ok(), "{json}");
    }
    let latin1 = b"{\"w\":\"\xe9\"}";
    for piece in [1, 100] {
        let mut json = Json::new(Pieces(latin1, piece), Rc::default());
        assert!(matches!(json.deserialize_map(Wanting(Rc::default())), Err(Error::Syntax(_))));
    }
}

#[test]
fn a_body_that_fails_is_not_read_again() {
    struct Failing(usize);
    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            self.0 += 1;
            Err(io::Error::other("cut"))
        }
    }
    for json in [r#"{"w":["#, r#"{"w":"a"#, r#"{"a":[{"#, r#"{"a":"#, "{"] {
        let mut body = Json::new(json.as_bytes().chain(Failing(0)), Rc::default());
        let error = body.deserialize_map(Wanting(Rc::default())).unwrap_err();
        assert_eq!((error.to_string(), body.body.get_ref().1.0), ("cut".to_owned(), 1), "{json}");
    }
}

proptest::proptest! {
    #[test]
    fn what_is_read_is_what_serde_json_reads(text in r#"[\[\]\{\}",:\\a0-2 tn]{0,12}"#, piece in 1..14_usize) {
        let theirs = serde_json::from_str::<Value>(&text).ok();
        let mut json = Json::new(Pieces(text.as_bytes(), piece), Rc::default());
        let ours = <Value as serde::Deserialize>::deserialize(&mut json).and_then(|value| json.finish().map(|()| value));
        proptest::prop_assert_eq!(ours.ok(), theirs);
    }
}
