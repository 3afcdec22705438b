//! `bootd` and `bootnode` as real processes, over crossbars in a process of their own and over Ethernet between network
//! namespaces.

mod raw;
mod site;
mod xbar;
