// The cells, element by element: a step from the sums that products have made, and its way back. Equations: `models/cells.py`.
//
// Of each step `saved` blocks of units are kept. Its way back makes `deltas` blocks: from `to_recurrent` on those that go back
// through the recurrent weights, from `to_input` on those that go back through the input's. Where the state before a step `passes`
// into the one after it, some of the gradient goes back past the weights.

template <class In>  // gates, as they wait for the way back
using Kept = std::conditional_t<sizeof(In) == 2, half, float>;

template <class In>
struct Step {
    int64_t rows, units;
    float* sums;                                // gates come in, (rows, saved · units); may lie where they go
    Kept<In>* gates;                            // and go
    float *cells, *hidden;                      // of this step; hidden: none where `reduced` is all that is asked for later
    const float *cells_before, *hidden_before;  // of the last one; hidden_before may be hidden
    In* reduced;                                // hidden, once more, as products want it; none where that is float
    const In* reduced_before;                   // and that of the last step, which may be hidden_before
    int64_t reduced_row;
    int64_t t, from;                            // which step this is, and the batch's first row here
    const Held* held;
};

template <class In>
struct Backward {
    const In* received;  // by the hidden states of this step
    int64_t received_row;
    float *hidden, *cells;  // what the steps after this one give, (rows, units) → what this one gives to the one before
    In* delta;              // (rows, deltas · units), rows delta_row apart
    int64_t delta_row;
};

template <class F>
INLINE void elements(int64_t rows, int64_t units, F f) {
    for (int64_t r = 0; r < rows; ++r) across(units, [&](int64_t j, M m) INLINE_LAMBDA { f(r, j, r * units + j, m); });
}

// A value that was computed, or what it is held at.
template <class In>
INLINE V hold(const Step<In>& s, int what, int64_t r, int64_t j, V x, M m) {
    if constexpr (PAIR<In> == 1) {
        const Held& held = s.held[what];
        if (held.at) {
            const V value = load(held.at + s.t * held.step + (s.from + r) * held.row + j, m);
            return chosen(known(value), value, x);
        }
    }
    return x;
}

template <class In>
INLINE void show(const Step<In>& s, int64_t r, int64_t j, V h, M m) {
    if (s.hidden) store(s.hidden + r * s.units + j, h, m);
    if constexpr (PAIR<In> > 1) store(s.reduced + r * s.reduced_row + j, h, m);
}

template <class In>
INLINE V received(const Step<In>& s, const Backward<In>& b, int64_t r, int64_t j, M m) {
    return load(b.hidden + r * s.units + j, m) + load(b.received + r * b.received_row + j, m);
}

template <class In>
INLINE V within(V x) {  // what a half can hold, of a number without bounds
    if constexpr (sizeof(In) == 2) return most(all(-65504), least(all(65504), x));
    return x;
}

INLINE V slope(V gate) { return gate - gate * gate; }
INLINE V slope_of_tanh(V x) { return all(1) - x * x; }

struct Rnn {
    static constexpr int saved = 1, columns = 1, deltas = 1, to_recurrent = 0, to_input = 0;
    static constexpr bool passes = false;

    template <class In>
    static void forward(const Step<In>& s) {
        elements(s.rows, s.units, [&](int64_t r, int64_t j, int64_t at, M m) INLINE_LAMBDA {
            const V h = hold(s, HIDDEN_STATE, r, j, hyperbolic<In>(load(s.sums + at, m)), m);
            store(s.gates + at, h, m);
            show(s, r, j, h, m);
        });
    }

    template <class In>
    static void backward(const Step<In>& s, const Backward<In>& b) {
        elements(s.rows, s.units, [&](int64_t r, int64_t j, int64_t at, M m) INLINE_LAMBDA {
            store(b.delta + r * b.delta_row + j, received(s, b, r, j, m) * slope_of_tanh(load(s.gates + at, m)), m);
        });
    }
};

struct Lstm {
    static constexpr int saved = 4, columns = 4, deltas = 4, to_recurrent = 0, to_input = 0;
    static constexpr bool passes = false;  // that of the cell is no product's

    template <class In>
    static void forward(const Step<In>& s) {
        elements(s.rows, s.units, [&](int64_t r, int64_t j, int64_t at, M m) INLINE_LAMBDA {
            const int64_t first = r * saved * s.units + j;
            const float* sum = s.sums + first;
            Kept<In>* gate = s.gates + first;
            const V candidate = load(sum + 2 * s.units, m);
            const Several<4> over = over_logistic<In>(Several<4>{load(sum, m), load(sum + s.units, m), candidate + candidate, load(sum + 3 * s.units, m)});
            const V i = hold(s, 0, r, j, inverse(over.at[0]), m), f = hold(s, 1, r, j, inverse(over.at[1]), m);
            const V g = hold(s, 2, r, j, hyperbolic<In>(candidate, over.at[2]), m), o = hold(s, 3, r, j, inverse(over.at[3]), m);
            const V c = hold(s, CELL_STATE, r, j, fma(f, load(s.cells_before + at, m), i * g), m);
            store(gate, i, m), store(gate + s.units, f, m), store(gate + 2 * s.units, g, m), store(gate + 3 * s.units, o, m);
            store(s.cells + at, c, m);
            show(s, r, j, hold(s, HIDDEN_STATE, r, j, o * hyperbolic<In>(c), m), m);
        });
    }

    template <class In>
    static void backward(const Step<In>& s, const Backward<In>& b) {
        elements(s.rows, s.units, [&](int64_t r, int64_t j, int64_t at, M m) INLINE_LAMBDA {
            const Kept<In>* gate = s.gates + r * saved * s.units + j;
            const V i = load(gate, m), f = load(gate + s.units, m), g = load(gate + 2 * s.units, m), o = load(gate + 3 * s.units, m);
            const V shown = hyperbolic<In>(load(s.cells + at, m)), dh = received(s, b, r, j, m);
            const V dc = fma(dh * o, slope_of_tanh(shown), load(b.cells + at, m));
            In* delta = b.delta + r * b.delta_row + j;
            store(delta, dc * g * slope(i), m);
            store(delta + s.units, dc * load(s.cells_before + at, m) * slope(f), m);
            store(delta + 2 * s.units, dc * i * slope_of_tanh(g), m);
            store(delta + 3 * s.units, dh * shown * slope(o), m);
            store(b.cells + at, dc * f, m);
        });
    }
};

// torch's: r acts after the matrix, z = 1 keeps. The fourth block saved is U h₋₁ + b' of the candidate.
// Back go the candidate's through U, r, z, and the candidate's through W.
struct Gru {
    static constexpr int saved = 4, columns = 3, deltas = 4, to_recurrent = 0, to_input = 1;
    static constexpr bool passes = true;

    template <class In>
    static void forward(const Step<In>& s) {
        elements(s.rows, s.units, [&](int64_t r, int64_t j, int64_t at, M m) INLINE_LAMBDA {
            const int64_t first = r * saved * s.units + j;
            const float* sum = s.sums + first;
            Kept<In>* gate = s.gates + first;
            const Several<2> over = over_logistic<In>(Several<2>{load(sum, m), load(sum + s.units, m)});
            const V reset = hold(s, 0, r, j, inverse(over.at[0]), m), z = hold(s, 1, r, j, inverse(over.at[1]), m);
            const V inner = load(sum + 3 * s.units, m), n = hold(s, 2, r, j, hyperbolic<In>(fma(reset, inner, load(sum + 2 * s.units, m))), m);
            store(gate, reset, m), store(gate + s.units, z, m), store(gate + 2 * s.units, n, m), store(gate + 3 * s.units, within<In>(inner), m);
            const V h = fma(z, load(s.hidden_before + at, m), (all(1) - z) * n);  // exact where z is 0 or 1
            show(s, r, j, hold(s, HIDDEN_STATE, r, j, h, m), m);
        });
    }

    template <class In>
    static void backward(const Step<In>& s, const Backward<In>& b) {
        elements(s.rows, s.units, [&](int64_t r, int64_t j, int64_t at, M m) INLINE_LAMBDA {
            const Kept<In>* gate = s.gates + r * saved * s.units + j;
            const V reset = load(gate, m), z = load(gate + s.units, m), n = load(gate + 2 * s.units, m), inner = load(gate + 3 * s.units, m);
            const V dh = received(s, b, r, j, m), dn = (dh - dh * z) * slope_of_tanh(n);
            In* delta = b.delta + r * b.delta_row + j;
            store(delta, dn * reset, m);
            store(delta + s.units, dn * inner * slope(reset), m);
            store(delta + 2 * s.units, dh * (load(s.reduced_before + r * s.reduced_row + j, m) - n) * slope(z), m);
            store(delta + 3 * s.units, dn, m);
            store(b.hidden + at, dh * z, m);
        });
    }
};

// The paper's: r acts before the matrix, z = 1 overwrites. The candidate's product needs r ∘ h₋₁, so that a step has two halves.
struct PaperGru {
    static constexpr int saved = 3, columns = 3, deltas = 3, to_recurrent = 0, to_input = 0;
    static constexpr bool passes = true;

    template <class In>
    static void open(const Step<In>& s, In* opened, int64_t row) {
        elements(s.rows, s.units, [&](int64_t r, int64_t j, int64_t at, M m) INLINE_LAMBDA {
            const int64_t first = r * saved * s.units + j;
            float* sum = s.sums + first;
            Kept<In>* gate = s.gates + first;
            const Several<2> over = over_logistic<In>(Several<2>{load(sum, m), load(sum + s.units, m)});
            const V reset = hold(s, 0, r, j, inverse(over.at[0]), m), z = hold(s, 1, r, j, inverse(over.at[1]), m);
            store(gate, reset, m), store(gate + s.units, z, m), store(sum + s.units, z, m);
            store(opened + r * row + j, reset * load(s.hidden_before + at, m), m);
        });
    }

    template <class In>
    static void forward(const Step<In>& s) {
        elements(s.rows, s.units, [&](int64_t r, int64_t j, int64_t at, M m) INLINE_LAMBDA {
            const int64_t first = r * saved * s.units + j;
            const float* sum = s.sums + first;
            const V z = load(sum + s.units, m), n = hold(s, 2, r, j, hyperbolic<In>(load(sum + 2 * s.units, m)), m);
            const V h = fma(z, n, (all(1) - z) * load(s.hidden_before + at, m));
            store(s.gates + first + 2 * s.units, n, m);
            show(s, r, j, hold(s, HIDDEN_STATE, r, j, h, m), m);
        });
    }

    template <class In>
    static void backward(const Step<In>& s, const Backward<In>& b, In* opened, int64_t row) {
        elements(s.rows, s.units, [&](int64_t r, int64_t j, int64_t at, M m) INLINE_LAMBDA {
            const Kept<In>* gate = s.gates + r * saved * s.units + j;
            const V reset = load(gate, m), z = load(gate + s.units, m), n = load(gate + 2 * s.units, m);
            const V dh = received(s, b, r, j, m), before = load(s.reduced_before + r * s.reduced_row + j, m);
            In* delta = b.delta + r * b.delta_row + j;
            store(delta + s.units, dh * (n - before) * slope(z), m);
            store(delta + 2 * s.units, dh * z * slope_of_tanh(n), m);
            store(b.hidden + at, dh - dh * z, m);
            store(opened + r * row + j, reset * before, m);
        });
    }

    // `inner` (rows, units): what came back through the candidate's matrix
    template <class In>
    static void backward_through_reset(const Step<In>& s, const Backward<In>& b, const float* inner) {
        elements(s.rows, s.units, [&](int64_t r, int64_t j, int64_t at, M m) INLINE_LAMBDA {
            const V reset = load(s.gates + r * saved * s.units + j, m), back = load(inner + at, m);
            store(b.delta + r * b.delta_row + j, back * load(s.reduced_before + r * s.reduced_row + j, m) * slope(reset), m);
            store(b.hidden + at, fma(back, reset, load(b.hidden + at, m)), m);
        });
    }
};
