//! How busy a cable is, as a colour.

/// A cable's load beside the mean of all that carry any.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shade {
    /// Less than half of the mean.
    Low,
    /// About the mean.
    Even,
    /// More than one and a quarter of it.
    High,
    /// More than twice.
    Hot,
}

impl Shade {
    /// All, the least busy first.
    pub const ALL: [Shade; 4] = [Shade::Low, Shade::Even, Shade::High, Shade::Hot];

    /// The shade of a load, in units of the mean.
    pub fn of(load: f64) -> Shade {
        match load {
            load if load < 0.5 => Shade::Low,
            load if load <= 1.25 => Shade::Even,
            load if load <= 2.0 => Shade::High,
            _ => Shade::Hot,
        }
    }

    /// The colour.
    pub fn colour(self) -> &'static str {
        match self {
            Shade::Low => "#bcd3ee",
            Shade::Even => "#5b82b5",
            Shade::High => "#d97706",
            Shade::Hot => "#7e22ce",
        }
    }

    /// What a legend says.
    pub fn label(self) -> &'static str {
        match self {
            Shade::Low => "below half the mean load",
            Shade::Even => "about the mean",
            Shade::High => "above 1.25 of it",
            Shade::Hot => "above twice",
        }
    }

    /// The class in the document.
    pub(super) fn class(self) -> &'static str {
        match self {
            Shade::Low => "k0",
            Shade::Even => "k1",
            Shade::High => "k2",
            Shade::Hot => "k3",
        }
    }
}
