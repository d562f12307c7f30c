//! Where panels stand: in lines, from left to right, without overlap.

/// Columns of a board.
pub const COLUMNS: u32 = 24;

/// Where a panel stands, in cells.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Place {
    /// From the left.
    pub x: u32,
    /// From the top.
    pub y: u32,
    /// Width.
    pub w: u32,
    /// Height.
    pub h: u32,
}

/// Places one panel after the other.
#[derive(Debug, Default)]
pub struct Grid {
    x: u32,
    y: u32,
    line_height: u32,
}

impl Grid {
    /// The next place of this size; it begins a new line where this one has no room left.
    pub fn next(&mut self, w: u32, h: u32) -> Place {
        let w = w.min(COLUMNS);
        if self.x + w > COLUMNS {
            self.new_line();
        }
        let place = Place { x: self.x, y: self.y, w, h };
        self.x += w;
        self.line_height = self.line_height.max(h);
        place
    }

    /// What comes next stands below everything so far.
    pub fn new_line(&mut self) {
        self.x = 0;
        self.y += self.line_height;
        self.line_height = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_fill_and_break() {
        let mut grid = Grid::default();
        let mut at = |w, h| {
            let place = grid.next(w, h);
            (place.x, place.y)
        };
        assert_eq!(
            [at(12, 8), at(12, 4), at(8, 4), at(24, 2), at(6, 4)],
            [(0, 0), (12, 0), (0, 8), (0, 12), (0, 14)]
        );
    }
}
