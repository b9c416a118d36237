// torch.optim.RMSprop in one pass over the weights; several would fetch them from memory as often. Gradients are kept within ± bound.
// Returns the sum of their squares before.
inline double rmsprop(float* weights, const float* gradients, float* averages, int64_t n, float rate, double smoothing, float epsilon, float bound) {
    constexpr int64_t SOME = 4096;  // that are summed in float32
    const V kept = all(static_cast<float>(smoothing)), new_part = all(static_cast<float>(1 - smoothing));
    double total = 0;
    for (int64_t first = 0; first < n; first += SOME) {
        V squares = all(0);
        across(std::min(SOME, n - first), [&](int64_t k, M m) INLINE_LAMBDA {
            const int64_t at = first + k;
            const V given = load(gradients + at, m), g = most(all(-bound), least(all(bound), given));
            const V average = fma(new_part * g, g, kept * load(averages + at, m));
            squares = fma(given, given, squares);
            store(averages + at, average, m);
            store(weights + at, load(weights + at, m) - all(rate) * (g / (root(average) + all(epsilon))), m);
        });
        total += sum(squares);
    }
    return total;
}
