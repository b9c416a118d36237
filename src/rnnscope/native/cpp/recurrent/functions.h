// exp, σ and tanh of a vector. For products of floats right to some 1e-7 of their value; for those of bf16, which keep eight bits,
// to 1e-4, in two thirds of the time. Numbers that are none stay none.

template <class In>
INLINE V exponential(V x) {
    x = most(all(-87.3f), least(all(88.3f), x));
    const V n = rounded(x * all(1.44269504f));
    if constexpr (sizeof(In) == 2) {
        const V r = fma(n, all(-0.69314718f), x);
        return times_power(fma(fma(fma(all(0.167670156f), r, all(0.505022471f)), r, all(0.999984928f)), r, all(0.999924551f)), n);
    }
    const V r = fma(n, all(2.12194440e-4f), fma(n, all(-0.693359375f), x));  // ln 2 in two parts
    V p = all(1.9875691500e-4f);  // Cephes' expf
    p = fma(p, r, all(1.3981999507e-3f));
    p = fma(p, r, all(8.3334519073e-3f));
    p = fma(p, r, all(4.1665795894e-2f));
    p = fma(p, r, all(1.6666665459e-1f));
    p = fma(p, r, all(5.0000001201e-1f));
    return times_power(fma(p, r * r, r + all(1)), n);
}

template <class In>
INLINE V logistic(V x) {
    return inverse(all(1) + exponential<In>(all(0) - x));
}

template <class In>
INLINE V hyperbolic(V x) {
    const V far = fma(all(2), logistic<In>(x + x), all(-1)), z = x * x;
    if constexpr (sizeof(In) == 2) return far;
    V p = all(-5.70498872745e-3f);  // Cephes' tanhf, where σ leaves few digits
    p = fma(p, z, all(2.06390887954e-2f));
    p = fma(p, z, all(-5.37397155531e-2f));
    p = fma(p, z, all(1.33314422036e-1f));
    p = fma(p, z, all(-3.33332819422e-1f));
    return chosen(less(z, all(0.625f * 0.625f)), fma(p * z, x, x), far);
}
