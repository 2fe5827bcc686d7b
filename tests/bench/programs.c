/* The bench's programs: the same C for the 32-bit guest and for the host (native), without a libc. Each is run with doubling
 * repetitions until it takes 0.3 s, then prints "BENCH name nanoseconds-per-repetition checksum". The order of the groups is that of
 * tests/bench/run.sh: integer, memory, x87, rewritten code, kernel.
 * An argument picks programs by the first letters of their names. */
typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

/* --- the kernel's door ---------------------------------------------------------------------------------------------- */
#ifdef __i386__
enum { SYS_EXIT = 1, SYS_FORK = 2, SYS_READ = 3, SYS_WRITE = 4, SYS_WAIT4 = 114, SYS_GETPPID = 64, SYS_PIPE = 42, SYS_MMAP = 192,
       SYS_MUNMAP = 91, SYS_CLOCK = 265, SYS_MPROTECT = 125, SYS_CLOSE = 6, SYS_EXECVE = 11 };
static long call(long n, long a, long b, long c, long d, long e)
{
    long r;
    __asm__ volatile("int $0x80" : "=a"(r) : "a"(n), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e) : "memory");
    return r;
}
static long map(unsigned long length, long protection)
{
    long r;                                     /* mmap2 takes six arguments: the last, the offset, in ebp */
    __asm__ volatile("push %%ebp; xor %%ebp,%%ebp; int $0x80; pop %%ebp" : "=a"(r)
                     : "a"(SYS_MMAP), "b"(0), "c"(length), "d"(protection), "S"(0x22), "D"(-1) : "memory");
    return r;
}
#else
enum { SYS_EXIT = 60, SYS_FORK = 57, SYS_READ = 0, SYS_WRITE = 1, SYS_WAIT4 = 61, SYS_GETPPID = 110, SYS_PIPE = 22, SYS_MMAP = 9,
       SYS_MUNMAP = 11, SYS_CLOCK = 228, SYS_MPROTECT = 10, SYS_CLOSE = 3, SYS_EXECVE = 59 };
static long call6(long n, long a, long b, long c, long d, long e, long f)
{
    long r;
    register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
    __asm__ volatile("syscall" : "=a"(r) : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
    return r;
}
static long call(long n, long a, long b, long c, long d, long e) { return call6(n, a, b, c, d, e, 0); }
static long map(unsigned long length, long protection) { return call6(SYS_MMAP, 0, (long)length, protection, 0x22, -1, 0); }
#endif

void *memcpy(void *to, const void *from, unsigned long n);
void *memset(void *to, int v, unsigned long n);
void *memcpy(void *to, const void *from, unsigned long n)
{
    void *r = to;
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
    return r;
}
void *memset(void *to, int v, unsigned long n)
{
    void *r = to;
    __asm__ volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(v) : "memory");
    return r;
}

static u64 now(void)
{
    long t[2];
    call(SYS_CLOCK, 1, (long)t, 0, 0, 0);
    return (u64)t[0] * 1000000000u + (u64)t[1];
}

static u32 random_state = 1;
static u32 random_next(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state;
}
#define ARENA (16u << 20)
static u8 *arena;                               /* scratch of every program, 16 MiB */

/* --- integer -------------------------------------------------------------------------------------------------------- */

static u32 rotate(u32 v, int n) { return v >> n | v << (32 - n); }
static u32 sha_k[64];

static void sha_block(u32 h[8], const u8 *p)
{
    u32 w[64], s[8];
    for (int i = 0; i < 16; i++)
        w[i] = (u32)p[i * 4] << 24 | (u32)p[i * 4 + 1] << 16 | (u32)p[i * 4 + 2] << 8 | p[i * 4 + 3];
    for (int i = 16; i < 64; i++)
        w[i] = w[i - 16] + (rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ w[i - 15] >> 3) + w[i - 7] +
               (rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ w[i - 2] >> 10);
    for (int i = 0; i < 8; i++)
        s[i] = h[i];
    for (int i = 0; i < 64; i++) {
        u32 t1 = s[7] + (rotate(s[4], 6) ^ rotate(s[4], 11) ^ rotate(s[4], 25)) + ((s[4] & s[5]) ^ (~s[4] & s[6])) + sha_k[i] + w[i];
        u32 t2 = (rotate(s[0], 2) ^ rotate(s[0], 13) ^ rotate(s[0], 22)) + ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
        s[7] = s[6]; s[6] = s[5]; s[5] = s[4]; s[4] = s[3] + t1; s[3] = s[2]; s[2] = s[1]; s[1] = s[0]; s[0] = t1 + t2;
    }
    for (int i = 0; i < 8; i++)
        h[i] += s[i];
}

static u32 sha256(u32 reps)
{
    u32 h[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
    for (int i = 0; i < 64; i++)
        sha_k[i] = (u32)i * 0x9e3779b9u;
    for (u32 r = 0; r < reps; r++)
        for (u32 at = 0; at < 4096; at += 64)
            sha_block(h, arena + at);
    return h[0];
}

static void sort(int *v, int low, int high)
{
    while (low < high) {
        int pivot = v[(low + high) / 2], i = low, j = high;
        while (i <= j) {
            while (v[i] < pivot)
                i++;
            while (v[j] > pivot)
                j--;
            if (i <= j) {
                int t = v[i];
                v[i++] = v[j];
                v[j--] = t;
            }
        }
        sort(v, low, j);
        low = i;
    }
}

static u32 qsort(u32 reps)
{
    int *v = (int *)arena;
    for (u32 r = 0; r < reps; r++) {
        random_state = r + 1;
        for (int i = 0; i < 4000; i++)
            v[i] = (int)random_next();
        sort(v, 0, 3999);
    }
    return (u32)v[0];
}

struct node { struct node *left, *right; u32 key; };
static u32 tree(u32 reps)
{
    u32 sum = 0;
    for (u32 r = 0; r < reps; r++) {
        struct node *nodes = (struct node *)arena, *root = 0;
        random_state = 7;
        for (int i = 0; i < 2000; i++) {
            struct node **p = &root, *n = &nodes[i];
            n->key = random_next();
            n->left = n->right = 0;
            while (*p)
                p = n->key < (*p)->key ? &(*p)->left : &(*p)->right;
            *p = n;
        }
        for (struct node *n = root; n; n = n->left)
            sum += n->key;
    }
    return sum;
}

/* A small LZ77 compressor with a hash table of positions: the shape of zlib's deflate. */
static u32 lz(u32 reps)
{
    u8 *in = arena, *out = arena + 65536;
    u32 *heads = (u32 *)(arena + 262144), written = 0;
    random_state = 5;
    for (u32 i = 0; i < 32768; i++)
        in[i] = (u8)("the payroll of the old server "[i % 30] ^ (random_next() % 17 == 0));
    for (u32 r = 0; r < reps; r++) {
        written = 0;
        memset(heads, 0, 4096 * 4);
        for (u32 at = 0; at + 4 < 32768;) {
            u32 hash = (in[at] * 2654435761u ^ in[at + 1] * 40503u ^ in[at + 2] * 2246822519u) >> 7 & 4095, from = heads[hash], n = 0;
            heads[hash] = at;
            while (at > from && n < 255 && at + n < 32768 && in[from + n] == in[at + n])
                n++;
            if (n >= 4) {
                out[written++] = (u8)n;
                out[written++] = (u8)(at - from);
                out[written++] = (u8)((at - from) >> 8);
                at += n;
            } else {
                out[written++] = in[at++];
            }
        }
    }
    return written;
}

static __attribute__((noinline)) u32 fib(u32 n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
static u32 calls(u32 reps)
{
    u32 sum = 0;
    for (u32 r = 0; r < reps; r++)
        sum += fib(15);
    return sum;
}

static u32 op_add(u32 a, u32 b) { return a + b; }
static u32 op_xor(u32 a, u32 b) { return a ^ b; }
static u32 op_mul(u32 a, u32 b) { return a * (b | 1); }
static u32 op_rot(u32 a, u32 b) { return rotate(a, (int)(b & 15) + 1); }
static u32 (*volatile ops[4])(u32, u32);
static u32 indirect(u32 reps)
{
    u32 a = 1;
    ops[0] = op_add; ops[1] = op_xor; ops[2] = op_mul; ops[3] = op_rot;
    for (u32 r = 0; r < reps; r++)
        for (u32 i = 0; i < 2000; i++)
            a = ops[(a >> 5) & 3](a, i);
    return a;
}

/* --- memory --------------------------------------------------------------------------------------------------------- */

static u32 copy(u32 reps)
{
    u32 *from = (u32 *)arena, *to = (u32 *)(arena + ARENA / 2);
    for (u32 r = 0; r < reps; r++)
        for (u32 i = 0; i < 65536; i++) {
            to[i] = from[i] + r;
            __asm__ volatile("" : : : "memory");
        }
    return to[5];
}

static u32 chase(u32 reps)
{
    u32 *next = (u32 *)arena, at = 0;
    enum { SLOTS = 1 << 18 };
    static int made;
    if (!made) {
        for (u32 i = 0; i < SLOTS; i++)
            next[i] = i;
        random_state = 3;
        for (u32 i = SLOTS - 1; i > 0; i--) {
            u32 j = random_next() % i, t = next[i];
            next[i] = next[j];
            next[j] = t;
        }
        made = 1;
    }
    for (u32 r = 0; r < reps; r++)
        for (u32 i = 0; i < 20000; i++)
            at = next[at];
    return at;
}

/* --- x87 ------------------------------------------------------------------------------------------------------------ */

static u32 matrix(u32 reps)
{
    enum { N = 24 };
    double *a = (double *)arena, *b = a + N * N, *c = b + N * N;
    for (int i = 0; i < N * N; i++) {
        a[i] = i * 0.5;
        b[i] = 1.0 / (i + 1);
    }
    for (u32 r = 0; r < reps; r++)
        for (int i = 0; i < N; i++)
            for (int j = 0; j < N; j++) {
                double s = 0;
                for (int k = 0; k < N; k++)
                    s += a[i * N + k] * b[k * N + j];
                c[i * N + j] = s;
            }
    return (u32)c[N + 1];
}

static u32 transcendental(u32 reps)
{
    long double sum = 0;
    for (u32 r = 0; r < reps; r++)
        for (int i = 1; i < 200; i++) {
            long double x = i * 0.01L, s, l;
            __asm__("fsin" : "=t"(s) : "0"(x));
            __asm__("fyl2x" : "=t"(l) : "0"(x), "u"(1.0L) : "st(1)");
            sum += s + l;
        }
    return (u32)(int)sum;
}

static u32 nbody(u32 reps)
{
    static double p[5][6] = { { 0, 0, 0, 0, 0, 0 }, { 4, -1, 0, .6, 2, 0 }, { 8, 4, 0, -1, 1, 0 }, { 12, -15, 0, 1, .8, 0 }, { 15, -25, 0, 1, .5, 0 } };
    for (u32 r = 0; r < reps * 20; r++)
        for (int i = 0; i < 5; i++)
            for (int j = i + 1; j < 5; j++) {
                double d0 = p[i][0] - p[j][0], d1 = p[i][1] - p[j][1], d2 = p[i][2] - p[j][2], q = d0 * d0 + d1 * d1 + d2 * d2, root;
                __asm__("fsqrt" : "=t"(root) : "0"(q));
                double m = 0.001 / (q * root);
                p[i][3] -= d0 * m; p[i][4] -= d1 * m; p[i][5] -= d2 * m;
                p[j][3] += d0 * m; p[j][4] += d1 * m; p[j][5] += d2 * m;
                p[i][0] += 0.001 * p[i][3];
            }
    return (u32)(int)(p[0][0] * 1000);
}

/* --- rewritten code ------------------------------------------------------------------------------------------------- */

static u32 rewrite(u32 reps)
{
    static u8 *code;
    u32 sum = 0;
    if (!code)
        code = (u8 *)map(4096, 7);
    for (u32 r = 0; r < reps; r++)
        for (u32 i = 0; i < 50; i++) {
            code[0] = 0xb8;                     /* mov eax, i; ret */
            memcpy(code + 1, &i, 4);
            code[5] = 0xc3;
            sum += ((u32(*)(void))(unsigned long)code)();
        }
    return sum;
}

/* --- the guest kernel's work ---------------------------------------------------------------------------------------- */

static u32 syscalls(u32 reps)
{
    u32 sum = 0;
    for (u32 r = 0; r < reps; r++)
        for (int i = 0; i < 100; i++)
            sum += (u32)call(SYS_GETPPID, 0, 0, 0, 0, 0);
    return sum & 0;
}

static u32 pipes(u32 reps)
{
    int ends[2];
    u8 buffer[512];
    call(SYS_PIPE, (long)ends, 0, 0, 0, 0);
    for (u32 r = 0; r < reps; r++) {
        call(SYS_WRITE, ends[1], (long)arena, 512, 0, 0);
        call(SYS_READ, ends[0], (long)buffer, 512, 0, 0);
    }
    call(SYS_CLOSE, ends[0], 0, 0, 0, 0);
    call(SYS_CLOSE, ends[1], 0, 0, 0, 0);
    return 0;
}

static char **arguments;
static u32 spawn(u32 reps, int exec)
{
    for (u32 r = 0; r < reps; r++) {
        long child = call(SYS_FORK, 0, 0, 0, 0, 0);
        if (!child) {
            char *argv[] = { arguments[0], "exit", 0 };
            if (exec)
                call(SYS_EXECVE, (long)arguments[0], (long)argv, 0, 0, 0);
            call(SYS_EXIT, 0, 0, 0, 0, 0);
        }
        call(SYS_WAIT4, child, 0, 0, 0, 0);
    }
    return 0;
}
static u32 forks(u32 reps) { return spawn(reps, 0); }
static u32 execs(u32 reps) { return spawn(reps, 1); }

static u32 faults(u32 reps)
{
    for (u32 r = 0; r < reps; r++) {
        u8 *p = (u8 *)map(64 * 4096, 3);
        for (int i = 0; i < 64; i++)
            p[i * 4096] = 1;
        call(SYS_MUNMAP, (long)p, 64 * 4096, 0, 0, 0);
    }
    return 0;
}

/* --- */

static const struct { const char *name; u32 (*run)(u32 reps); } programs[] = {
    { "sha256", sha256 }, { "qsort", qsort }, { "tree", tree }, { "lz", lz }, { "calls", calls }, { "indirect", indirect },
    { "copy", copy }, { "chase", chase }, { "matrix", matrix }, { "transcendental", transcendental }, { "nbody", nbody },
    { "rewrite", rewrite }, { "syscalls", syscalls }, { "pipes", pipes }, { "forks", forks }, { "execs", execs }, { "faults", faults },
};

static char line[256];
static u32 line_length;
static void put_text(const char *s)
{
    while (*s && line_length < sizeof(line))
        line[line_length++] = *s++;
}
static void put_number(u32 v)
{
    char digits[12];
    int n = 0;
    do
        digits[n++] = (char)('0' + v % 10);
    while (v /= 10);
    while (n)
        line[line_length++] = digits[--n];
}

static void measure(unsigned which)
{
    u32 reps = 1, result = programs[which].run(1);     /* one repetition: the same on every engine */
    u64 spent = 0;
    for (;; reps *= 2) {
        u64 start = now();
        programs[which].run(reps);
        spent = now() - start;
        if (spent >= 300000000u || reps >= 1u << 28)
            break;
    }
    /* tenths of nanoseconds a repetition, by halving: there is no 64-bit division here */
    u32 shift = 0;
    while (reps >> shift > 1)
        shift++;
    u64 each = spent * 10 >> shift;
    line_length = 0;
    put_text("BENCH ");
    put_text(programs[which].name);
    put_text(" ");
    put_number((u32)(each >> 32));
    put_text(" ");
    put_number((u32)each);
    put_text(" ");
    put_number(result);
    put_text("\n");
    call(SYS_WRITE, 1, (long)line, line_length, 0, 0);
}

static int starts(const char *text, const char *with)
{
    while (*with)
        if (*text++ != *with++)
            return 0;
    return 1;
}

void entry(long *stack);
void entry(long *stack)
{
    long count = stack[0];
    arguments = (char **)(stack + 1);
    if (count > 1 && starts(arguments[1], "exit"))
        call(SYS_EXIT, 0, 0, 0, 0, 0);
    arena = (u8 *)map(ARENA, 3);
    for (u32 i = 0; i < ARENA; i += 4096)
        arena[i] = (u8)i;
    for (unsigned i = 0; i < sizeof(programs) / sizeof(programs[0]); i++)
        if (count < 2 || starts(programs[i].name, arguments[1]))
            measure(i);
    line_length = 0;
    put_text("BENCH-END\n");
    call(SYS_WRITE, 1, (long)line, line_length, 0, 0);
    call(SYS_EXIT, 0, 0, 0, 0, 0);
}

#ifdef __i386__
__asm__(".globl _start\n_start: xor %ebp,%ebp\n mov %esp,%eax\n and $-16,%esp\n sub $12,%esp\n push %eax\n call entry\n");
#else
__asm__(".globl _start\n_start: xor %ebp,%ebp\n mov %rsp,%rdi\n and $-16,%rsp\n call entry\n");
#endif
