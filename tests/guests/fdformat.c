/* Formats /dev/fd0 as 1.44 MB through the floppy driver's own calls, without a library: `fdformat`, then "FORMAT GOOD". */
struct parameters { unsigned size, sect, head, track, stretch; unsigned char gap, rate, spec1, fmt_gap; const char *name; };
struct place { unsigned device, head, track; };
enum { FDSETPRM = 0x401c0242, FDFMTBEG = 0x0247, FDFMTTRK = 0x400c0248, FDFMTEND = 0x0249 };

static int call(int number, long a, long b, long c)
{
    int result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c) : "memory");
    return result;
}

void _start(void);
void _start(void)
{
    static const struct parameters hd = { 2880, 18, 2, 80, 0, 0x1b, 0, 0xcf, 0x6c, 0 };
    static const char good[] = "FORMAT GOOD\n", bad[] = "FORMAT FAILED\n";
    int fd = call(5, (long)"/dev/fd0", 3, 0), failed = fd < 0 || call(54, fd, FDSETPRM, (long)&hd) < 0 || call(54, fd, FDFMTBEG, 0) < 0;
    for (unsigned n = 0; n < 160 && !failed; n++) {
        struct place at = { 0, n % 2, n / 2 };
        failed = call(54, fd, FDFMTTRK, (long)&at) < 0;
    }
    failed = failed || call(54, fd, FDFMTEND, 0) < 0;
    call(4, 1, failed ? (long)bad : (long)good, failed ? sizeof(bad) - 1 : sizeof(good) - 1);
    call(1, failed, 0, 0);
    __builtin_unreachable();
}
