// A sanitizer doesn't see what masked instructions reach for: where one is at work each element is read by itself as well.
INLINE bool among(int lane, M mask);
template <class T>
INLINE void touch(const T* at, M mask, int64_t apart = 1) {
#ifdef __SANITIZE_ADDRESS__
    for (int lane = 0; lane < LANES; ++lane)
        if (among(lane, mask)) (void)*const_cast<const volatile T*>(at + lane * apart);
#else
    (void)at, (void)mask, (void)apart;
#endif
}
