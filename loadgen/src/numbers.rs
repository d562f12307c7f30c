//! Numbers that only look random: the same seed gives the same run.

/// SplitMix64: small, and good enough for choices; nothing secret comes from it.
#[derive(Clone, Debug)]
pub struct Numbers(u64);

impl Numbers {
    /// The numbers of a seed and a place: user, request, whatever is chosen for.
    #[must_use]
    pub fn of(seed: u64, place: u64) -> Self {
        let mut first = Self(seed ^ 0x6c6f_6164_6765_6e31);
        let base = first.next_u64();
        let mut new = Self(base ^ place.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        new.next_u64();
        new
    }

    /// The next number.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut value = self.0;
        value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        value ^ (value >> 31)
    }

    /// A number below `bound`, which is not 0.
    pub fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next_u64() % (bound.max(1) as u64)).unwrap_or(0)
    }

    /// A number of `[0, 1)`.
    pub fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// Choices by the Zipf law: place `i` has the weight `1 / (i + 1)^exponent`.
#[derive(Clone, Debug)]
pub struct Zipf(Vec<f64>);

impl Zipf {
    /// Over so many places; an exponent of 0 is even.
    #[must_use]
    pub fn new(places: usize, exponent: f64) -> Self {
        let mut sum = 0.0;
        let mut cumulated: Vec<f64> = (1..=places.max(1))
            .map(|place| {
                sum += (place as f64).powf(-exponent);
                sum
            })
            .collect();
        for value in &mut cumulated {
            *value /= sum;
        }
        Self(cumulated)
    }

    /// A place.
    pub fn pick(&self, numbers: &mut Numbers) -> usize {
        let wanted = numbers.unit();
        self.0.partition_point(|share| *share <= wanted).min(self.0.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_and_places_differ() {
        let draw = |seed, place| {
            let mut numbers = Numbers::of(seed, place);
            [numbers.next_u64(), numbers.next_u64()]
        };
        assert_eq!(draw(1, 2), draw(1, 2));
        assert_ne!(draw(1, 2), draw(1, 3));
        assert_ne!(draw(1, 2), draw(2, 2));
    }

    #[test]
    fn skew_prefers_the_first_places_and_none_is_even() {
        for (exponent, least, most) in [(0.0, 2200, 2800), (1.0, 4500, 5100)] {
            let zipf = Zipf::new(4, exponent);
            let mut numbers = Numbers::of(3, 0);
            let first = (0..10_000).filter(|_| zipf.pick(&mut numbers) == 0).count();
            assert!((least..=most).contains(&first), "{exponent}: {first}");
        }
    }
}
