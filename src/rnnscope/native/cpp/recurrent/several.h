// Several vectors, every operation done on all of them before the next one: a function of one vector is a chain of instructions that
// wait for each other, longer than a processor looks ahead.

// Loops whose counter is known when this is compiled: what they fill stays in registers.
template <class F, int... I>
INLINE void unrolled(F f, std::integer_sequence<int, I...>) {
    (f(std::integral_constant<int, I>{}), ...);
}
template <int N, class F>
INLINE void times(F f) {
    unrolled(f, std::make_integer_sequence<int, N>{});
}

template <int N>
struct Several {
    V at[N];
};

template <class T>
constexpr int HOW_MANY = 0;
template <int N>
constexpr int HOW_MANY<Several<N>> = N;

INLINE V one_of(V x, int) { return x; }
template <int N>
INLINE V one_of(const Several<N>& x, int k) { return x.at[k]; }

template <class... X, class F>  // f of one after the other; a single vector stands for as many as there are of the others
INLINE auto each(F f, const X&... x) {
    Several<std::max({HOW_MANY<X>...})> out;
    times<std::max({HOW_MANY<X>...})>([&](auto k) INLINE_LAMBDA { out.at[k] = f(one_of(x, k)...); });
    return out;
}

template <class... X>
using Any = std::enable_if_t<(HOW_MANY<X> + ...) != 0>;
#define FOR_SEVERAL_1(f) \
    template <class A, class = Any<A>> INLINE A f(const A& a) { return each([](V a) INLINE_LAMBDA { return f(a); }, a); }
#define FOR_SEVERAL_2(f, as) \
    template <class A, class B, class = Any<A, B>> INLINE auto f(const A& a, const B& b) { return each([](V a, V b) INLINE_LAMBDA { return as; }, a, b); }
FOR_SEVERAL_2(operator+, a + b)
FOR_SEVERAL_2(operator-, a - b)
FOR_SEVERAL_2(operator*, a * b)
FOR_SEVERAL_2(least, least(a, b))
FOR_SEVERAL_2(most, most(a, b))
FOR_SEVERAL_2(times_power, times_power(a, b))
FOR_SEVERAL_1(rounded)
FOR_SEVERAL_1(above_floor)
#undef FOR_SEVERAL_1
#undef FOR_SEVERAL_2
template <class A, class B, class C, class = Any<A, B, C>>
INLINE auto fma(const A& a, const B& b, const C& c) { return each([](V a, V b, V c) INLINE_LAMBDA { return fma(a, b, c); }, a, b, c); }
