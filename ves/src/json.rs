//! One strict JSON grammar for the whole crate, walked without recursion (RFC 8259).
//!
//! A general parser loses what the protocol needs: repeated names, the digits of an integer, and
//! which rule a text broke. The walk keeps its own stack, so no nesting can overflow ours.

use std::borrow::Cow;

/// The text is not JSON.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub(crate) struct BadJson;

/// An escape names half of a surrogate pair.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub(crate) struct LoneSurrogate;

/// A string token without its quotes; escapes are well formed but not yet decoded.
#[derive(Copy, Clone, Debug)]
pub(crate) struct RawString<'a> {
    pub(crate) inner: &'a str,
    pub(crate) has_escape: bool,
}

/// A number token; an integer has neither fraction nor exponent.
#[derive(Copy, Clone, Debug)]
pub(crate) struct RawNumber<'a> {
    pub(crate) text: &'a str,
    pub(crate) is_integer: bool,
}

/// What a walk meets, in text order.
pub(crate) trait Visit<'a> {
    type Error: From<BadJson>;
    fn open(&mut self, kind: Container) -> Result<(), Self::Error>;
    fn name(&mut self, name: RawString<'a>, is_first: bool) -> Result<(), Self::Error>;
    fn next_element(&mut self);
    fn close(&mut self, kind: Container) -> Result<(), Self::Error>;
    fn string(&mut self, string: RawString<'a>) -> Result<(), Self::Error>;
    fn number(&mut self, number: RawNumber<'a>) -> Result<(), Self::Error>;
    fn literal(&mut self, literal: &'static str);
}

#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub(crate) enum Container {
    Object,
    Array,
}

pub(crate) struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// Skips blanks and shows the next byte.
    pub(crate) fn peek(&mut self) -> Option<u8> {
        while let Some(byte) = self.byte() {
            if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return Some(byte);
            }
            self.at += 1;
        }
        None
    }

    /// Skips blanks and takes the given byte.
    pub(crate) fn expect(&mut self, byte: u8) -> Result<(), BadJson> {
        if self.peek() != Some(byte) {
            return Err(BadJson);
        }
        self.at += 1;
        Ok(())
    }

    /// Requires that nothing but blanks follows.
    pub(crate) fn end(&mut self) -> Result<(), BadJson> {
        if self.peek().is_none() { Ok(()) } else { Err(BadJson) }
    }

    /// Takes a member name and its colon.
    pub(crate) fn name(&mut self) -> Result<RawString<'a>, BadJson> {
        let name = self.string()?;
        self.expect(b':')?;
        Ok(name)
    }

    /// Takes one value of any kind and gives its text.
    pub(crate) fn value(&mut self) -> Result<&'a str, BadJson> {
        self.peek();
        let start = self.at;
        self.walk(&mut Skip)?;
        self.text.get(start..self.at).ok_or(BadJson)
    }

    /// Takes one value of any kind and shows it to the visitor.
    pub(crate) fn walk<V: Visit<'a>>(&mut self, visitor: &mut V) -> Result<(), V::Error> {
        let mut open = Vec::new();
        loop {
            match self.peek().ok_or(BadJson)? {
                b'{' => {
                    self.at += 1;
                    visitor.open(Container::Object)?;
                    if self.peek() != Some(b'}') {
                        open.push(Container::Object);
                        visitor.name(self.name()?, true)?;
                        continue;
                    }
                    self.at += 1;
                    visitor.close(Container::Object)?;
                }
                b'[' => {
                    self.at += 1;
                    visitor.open(Container::Array)?;
                    if self.peek() != Some(b']') {
                        open.push(Container::Array);
                        continue;
                    }
                    self.at += 1;
                    visitor.close(Container::Array)?;
                }
                b'"' => visitor.string(self.string()?)?,
                b't' => visitor.literal(self.literal("true")?),
                b'f' => visitor.literal(self.literal("false")?),
                b'n' => visitor.literal(self.literal("null")?),
                _ => visitor.number(self.number()?)?,
            }
            if !self.after_value(&mut open, visitor)? {
                return Ok(());
            }
        }
    }

    /// Closes what ends here; says whether another value follows.
    fn after_value<V: Visit<'a>>(
        &mut self,
        open: &mut Vec<Container>,
        visitor: &mut V,
    ) -> Result<bool, V::Error> {
        while let Some(&container) = open.last() {
            match (self.peek(), container) {
                (Some(b','), Container::Object) => {
                    self.at += 1;
                    visitor.name(self.name()?, false)?;
                    return Ok(true);
                }
                (Some(b','), Container::Array) => {
                    self.at += 1;
                    visitor.next_element();
                    return Ok(true);
                }
                (Some(b'}'), Container::Object) | (Some(b']'), Container::Array) => {
                    self.at += 1;
                    open.pop();
                    visitor.close(container)?;
                }
                _ => return Err(BadJson.into()),
            }
        }
        Ok(false)
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn literal(&mut self, literal: &'static str) -> Result<&'static str, BadJson> {
        let found = self.text.as_bytes().get(self.at..).ok_or(BadJson)?;
        if !found.starts_with(literal.as_bytes()) {
            return Err(BadJson);
        }
        self.at += literal.len();
        Ok(literal)
    }

    fn string(&mut self) -> Result<RawString<'a>, BadJson> {
        self.expect(b'"')?;
        let start = self.at;
        let mut has_escape = false;
        loop {
            match self.byte().ok_or(BadJson)? {
                b'"' => break,
                b'\\' => {
                    has_escape = true;
                    self.at += 1;
                    self.escape()?;
                }
                0..0x20 => return Err(BadJson),
                _ => self.at += 1,
            }
        }
        let inner = self.text.get(start..self.at).ok_or(BadJson)?;
        self.at += 1;
        Ok(RawString { inner, has_escape })
    }

    fn escape(&mut self) -> Result<(), BadJson> {
        let byte = self.byte().ok_or(BadJson)?;
        self.at += 1;
        match byte {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Ok(()),
            b'u' => {
                let digits = self.text.as_bytes().get(self.at..self.at + 4).ok_or(BadJson)?;
                self.at += 4;
                if digits.iter().all(u8::is_ascii_hexdigit) { Ok(()) } else { Err(BadJson) }
            }
            _ => Err(BadJson),
        }
    }

    fn number(&mut self) -> Result<RawNumber<'a>, BadJson> {
        let start = self.at;
        let mut is_integer = true;
        if self.byte() == Some(b'-') {
            self.at += 1;
        }
        match self.byte() {
            Some(b'0') => self.at += 1,
            _ => self.digits()?,
        }
        if self.byte() == Some(b'.') {
            is_integer = false;
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.byte(), Some(b'e' | b'E')) {
            is_integer = false;
            self.at += 1;
            if matches!(self.byte(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        let text = self.text.get(start..self.at).ok_or(BadJson)?;
        Ok(RawNumber { text, is_integer })
    }

    fn digits(&mut self) -> Result<(), BadJson> {
        let start = self.at;
        while self.byte().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at > start { Ok(()) } else { Err(BadJson) }
    }
}

impl<'a> RawString<'a> {
    /// The characters the token stands for.
    pub(crate) fn decode(self) -> Result<Cow<'a, str>, LoneSurrogate> {
        if !self.has_escape {
            return Ok(Cow::Borrowed(self.inner));
        }
        let mut text = String::with_capacity(self.inner.len());
        let mut rest = self.inner;
        while let Some((plain, after)) = rest.split_once('\\') {
            text.push_str(plain);
            let mut chars = after.chars();
            let character = match chars.next() {
                Some('b') => '\u{8}',
                Some('f') => '\u{c}',
                Some('n') => '\n',
                Some('r') => '\r',
                Some('t') => '\t',
                Some('u') => {
                    let (character, after) = unicode(chars.as_str())?;
                    text.push(character);
                    rest = after;
                    continue;
                }
                Some(itself) => itself,
                None => return Err(LoneSurrogate), // the scanner lets no such token through
            };
            text.push(character);
            rest = chars.as_str();
        }
        text.push_str(rest);
        Ok(Cow::Owned(text))
    }
}

/// Reads the four digits after `\u`, and the second half of a pair where there is one.
fn unicode(digits: &str) -> Result<(char, &str), LoneSurrogate> {
    let (first, rest) = code_unit(digits)?;
    if !(0xd800..0xdc00).contains(&first) {
        // A low half alone is no character either.
        return char::from_u32(first).map(|character| (character, rest)).ok_or(LoneSurrogate);
    }
    let (second, rest) = code_unit(rest.strip_prefix("\\u").ok_or(LoneSurrogate)?)?;
    if !(0xdc00..0xe000).contains(&second) {
        return Err(LoneSurrogate);
    }
    let scalar = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
    char::from_u32(scalar).map(|character| (character, rest)).ok_or(LoneSurrogate)
}

fn code_unit(digits: &str) -> Result<(u32, &str), LoneSurrogate> {
    let (unit, rest) = digits.split_at_checked(4).ok_or(LoneSurrogate)?;
    Ok((u32::from_str_radix(unit, 16).map_err(|_| LoneSurrogate)?, rest))
}

struct Skip;

impl Visit<'_> for Skip {
    type Error = BadJson;
    fn open(&mut self, _: Container) -> Result<(), BadJson> {
        Ok(())
    }
    fn name(&mut self, _: RawString<'_>, _: bool) -> Result<(), BadJson> {
        Ok(())
    }
    fn next_element(&mut self) {}
    fn close(&mut self, _: Container) -> Result<(), BadJson> {
        Ok(())
    }
    fn string(&mut self, _: RawString<'_>) -> Result<(), BadJson> {
        Ok(())
    }
    fn number(&mut self, _: RawNumber<'_>) -> Result<(), BadJson> {
        Ok(())
    }
    fn literal(&mut self, _: &'static str) {}
}
