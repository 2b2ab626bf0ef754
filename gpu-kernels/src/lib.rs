//! GPU kernels, each a faster spelling of a definition in `niwaki-core` and tested against it.
