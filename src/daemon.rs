//! The composition root: it alone knows everybody. It binds, starts the threads, waits, and stops them in order.
