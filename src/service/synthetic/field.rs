//! The magnetic field of one region at one slot, pixel by pixel, in whole hundredths of a gauss.
//!
//! Two spots of opposite sign with a few pores around them, which grow, part and fade. What it does not do: solve any
//! equation.

use super::region::{Sky, SyntheticRegion, small};
use crate::service::slot::GridSlot;

/// Positions are in sixteenths of a pixel, so that spots move smoothly.
const FINE: i64 = 16;

/// One concentration of field.
#[derive(Debug, Clone, Copy)]
struct Spot {
    x: i64,
    y: i64,
    radius: i64,
    /// The field at its middle, 0.01 G, with its sign.
    peak: i64,
}

/// The field of a region's image.
#[derive(Debug, Clone)]
pub(super) struct MagneticField {
    /// Pixels along x and y.
    pub(super) size: (usize, usize),
    spots: Vec<Spot>,
}

/// The field in one pixel, 0.01 G: up, to the west, to the north.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Vector {
    pub(super) up: i64,
    pub(super) west: i64,
    pub(super) north: i64,
}

impl Vector {
    /// The field's strength, 0.01 G.
    pub(super) fn strength(self) -> i64 {
        let square = self.up.pow(2) + self.west.pow(2) + self.north.pow(2);
        square.isqrt()
    }
}

impl MagneticField {
    pub(super) fn new(sky: Sky, slot: GridSlot, region: SyntheticRegion) -> MagneticField {
        let luck = |what: u64, end: u64| small(sky.chance(what, region.ordinal), end);
        let (width, height) = (256 + 32 * luck(20, 5), 176 + 24 * luck(21, 4));
        let age = region.age(slot);
        // A parabola over its life, from three tenths up to its full strength and back.
        let strength = 3 + 7 * (4 * age * (1024 - age)) / (1024 * 1024);
        let peak = (150_000 + luck(22, 130_000)) * strength / 10;
        let sign = if luck(23, 2) == 0 { 1 } else { -1 };
        let apart = FINE * (width / 8 + width * age / 8192);
        let tilt = FINE * (luck(24, 13) - 4) * height / 120;
        let (x, y) = (FINE * width / 2, FINE * height / 2);
        let mut spots = vec![
            Spot { x: x + apart, y: y - tilt, radius: FINE * height / 9, peak: sign * peak },
            Spot { x: x - apart, y: y + tilt, radius: FINE * height / 7, peak: -sign * peak * 3 / 4 },
        ];
        for pore in 0..4u64 {
            let side = if pore % 2 == 0 { 1 } else { -1 };
            spots.push(Spot {
                x: x + side * apart + FINE * (luck(30 + pore, 40) - 20) * width / 120,
                y: y + FINE * (luck(40 + pore, 48) - 24) * height / 90,
                radius: FINE * height / 18,
                peak: side * sign * peak * (20 + luck(50 + pore, 20)) / 100,
            });
        }
        let pixels = |length: i64| usize::try_from(length).unwrap_or(96);
        MagneticField { size: (pixels(width), pixels(height)), spots }
    }

    /// The field in every pixel, the first axis fastest.
    pub(super) fn pixels(&self) -> impl Iterator<Item = Vector> {
        let (width, height) = self.size;
        (0..height).flat_map(move |y| (0..width).map(move |x| self.at(x, y)))
    }

    fn at(&self, x: usize, y: usize) -> Vector {
        let fine = |pixel: usize| FINE * i64::try_from(pixel).unwrap_or(0);
        let (x, y) = (fine(x), fine(y));
        self.spots.iter().fold(Vector::default(), |sum, spot| {
            let (dx, dy) = (x - spot.x, y - spot.y);
            let square = spot.radius * spot.radius;
            // 1024 in the middle, half of it a radius away, then falling off with the square.
            let near = (square << 10) / (square + dx * dx + dy * dy);
            let up = (spot.peak * near * near) >> 20;
            // The field leans outward from the middle, most at the rim.
            let lean = |d: i64| up * d / (spot.radius + d.abs());
            Vector { up: sum.up + up, west: sum.west + lean(dx), north: sum.north + lean(dy) }
        })
    }
}
