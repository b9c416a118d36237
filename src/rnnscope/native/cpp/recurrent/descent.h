// The update of the weights in one pass over them; torch takes several, which fetch them from memory as often.

inline double sum_of_squares(const float* at, int64_t n) {
    constexpr int64_t SOME = 4096;  // that are summed in float32
    double total = 0;
    for (int64_t first = 0; first < n; first += SOME) {
        V squares = all(0);
        across(std::min(SOME, n - first), [&](int64_t k, M m) INLINE_LAMBDA {
            const V x = load(at + first + k, m);
            squares = fma(x, x, squares);
        });
        total += sum(squares);
    }
    return total;
}

// torch.optim.RMSprop, or, where means of gradients are kept, torch.optim.Adam.
inline void descend(const Descent& d) {
    const V kept = all(static_cast<float>(d.smoothing)), new_part = all(static_cast<float>(1 - d.smoothing));
    const V newest = all(static_cast<float>(1 - d.momentum)), rate = all(static_cast<float>(d.rate / d.begun_means));
    const V begun = all(static_cast<float>(1 / std::sqrt(d.begun_squares))), epsilon = all(d.epsilon);
    const V bound = all(d.bound), scale = all(d.scale), lowest = all(-d.bound);
    const auto pass = [&](auto with_means) INLINE_LAMBDA {
        across(d.n, [&](int64_t k, M m) INLINE_LAMBDA {
            const V g = most(lowest, least(bound, load(d.gradients + k, m))) * scale;
            const V square = fma(new_part * g, g, kept * load(d.squares + k, m));
            V along = g;
            store(d.squares + k, square, m);
            if constexpr (with_means) {
                const V mean = load(d.means + k, m);
                along = fma(newest, g - mean, mean);
                store(d.means + k, along, m);
            }
            store(d.weights + k, load(d.weights + k, m) - rate * (along / fma(root(square), begun, epsilon)), m);
        });
    };
    d.means ? pass(std::true_type{}) : pass(std::false_type{});
}
