//! What nobody may: other people's rows, other roles' commands, other names in the place of ours.

mod allowed;
mod claims;
mod commands;
mod names;
mod owners_code;
mod rows;
mod sessions;
mod takeover;
