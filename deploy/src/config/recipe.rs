//! What a recipe gives for the keys that a file leaves out. Only data: adding a recipe is adding a constant.

use super::Recipe;

/// The lists that a recipe fills in. A key that the file gives replaces the recipe's list wholly.
#[derive(Debug)]
pub(super) struct Defaults {
    pub(super) build_steps: &'static [&'static str],
    pub(super) build_exclude: &'static [&'static str],
    pub(super) shared_files: &'static [&'static str],
    pub(super) shared_dirs: &'static [&'static str],
    pub(super) prepare: &'static [&'static str],
    pub(super) preflight: &'static [&'static str],
    pub(super) migrate: &'static [&'static str],
    pub(super) before_swap: &'static [&'static str],
    pub(super) after_swap: &'static [&'static str],
    pub(super) after_health: &'static [&'static str],
}

const LARAVEL: Defaults = Defaults {
    build_steps: &[
        "composer install --no-dev --optimize-autoloader --no-interaction --no-progress --prefer-dist",
    ],
    build_exclude: &[".git", "node_modules", "tests"],
    shared_files: &[".env"],
    shared_dirs: &["storage"],
    prepare: &[
        "php artisan config:cache",
        "php artisan route:cache",
        // A view that is compiled under load, after the swap, is served blank with status 200 to who comes meanwhile.
        "php artisan view:cache",
        "php artisan event:cache",
    ],
    preflight: &["php artisan --version"],
    migrate: &["php artisan migrate --force --no-interaction"],
    before_swap: &[],
    after_swap: &[],
    after_health: &[],
};

const NONE: Defaults = Defaults {
    build_steps: &[],
    build_exclude: &[],
    shared_files: &[],
    shared_dirs: &[],
    prepare: &[],
    preflight: &[],
    migrate: &[],
    before_swap: &[],
    after_swap: &[],
    after_health: &[],
};

impl Recipe {
    /// What it gives for the keys that a file leaves out.
    pub(super) fn defaults(self) -> &'static Defaults {
        match self {
            Self::Laravel => &LARAVEL,
            Self::None => &NONE,
        }
    }
}
