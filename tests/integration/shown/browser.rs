//! The page in a real browser: Debian's chromium, without a window, told what to do over its DevTools pipe.
