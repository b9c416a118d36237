// exp, σ and tanh of a vector, or of several. For products of floats right to some 1e-7 of their value; for those of bf16, which keep
// eight bits, exp and σ to 1e-4 of it, and tanh to 1e-4, in half the time. Numbers that are none stay none.

template <class T>
INLINE T quick_power_of_two(T x) {  // 2ˣ, up to 2¹²⁶; exact for whole numbers, so that tanh of 0 is 0
    x = least(all(126), x);
    const T r = above_floor(x);
    return times_power(fma(fma(fma(all(0.07826797f), r, all(0.22630768f)), r, all(0.69542435f)), r, all(1)), x);
}

template <class T>
INLINE T exponential(T x) {
    x = most(all(-87.3f), least(all(88.3f), x));
    const T n = rounded(x * all(1.44269504f));
    const T r = fma(n, all(2.12194440e-4f), fma(n, all(-0.693359375f), x));  // ln 2 in two parts
    T p = fma(all(1.9875691500e-4f), r, all(1.3981999507e-3f));              // Cephes' expf
    p = fma(p, r, all(8.3334519073e-3f));
    p = fma(p, r, all(4.1665795894e-2f));
    p = fma(p, r, all(1.6666665459e-1f));
    p = fma(p, r, all(5.0000001201e-1f));
    return times_power(fma(p, r * r, r + all(1)), n);
}

// Those for products of `In`.
template <class In, class T>
INLINE T exponential_for(T x) {
    if constexpr (sizeof(In) == 2) return quick_power_of_two(x * all(1.44269504f));
    else return exponential(x);
}

template <class In, class T>
INLINE T over_logistic(T x) {  // 1 / σ
    if constexpr (sizeof(In) == 2) return all(1) + quick_power_of_two(x * all(-1.44269504f));
    else return all(1) + exponential(all(0) - x);
}

// tanh of x, from 1 / σ of 2x.
template <class In>
INLINE V hyperbolic(V x, V over) {
    const V far = fma(all(2), inverse(over), all(-1)), z = x * x;
    if constexpr (sizeof(In) == 2) return far;
    V p = all(-5.70498872745e-3f);  // Cephes' tanhf, where σ leaves few digits
    p = fma(p, z, all(2.06390887954e-2f));
    p = fma(p, z, all(-5.37397155531e-2f));
    p = fma(p, z, all(1.33314422036e-1f));
    p = fma(p, z, all(-3.33332819422e-1f));
    return chosen(less(z, all(0.625f * 0.625f)), fma(p * z, x, x), far);
}

template <class In>
INLINE V hyperbolic(V x) {
    return hyperbolic<In>(x, over_logistic<In>(x + x));
}
