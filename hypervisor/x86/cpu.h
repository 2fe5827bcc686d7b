/* The one canonical copy of a guest CPU's registers, and what all engines share about them: features, flags, segments,
 * paging, exceptions. Names are those of the Intel SDM (volumes 1 and 3).
 *
 * A CPU is a device: its INTR, NMI, A20 and INIT pins are wires, its registers a state table, `cpu0` an id. */
#ifndef X86_CPU_H
#define X86_CPU_H
#include "core/device.h"
#include <setjmp.h>
#include <stdatomic.h>

enum { EAX, ECX, EDX, EBX, ESP, EBP, ESI, EDI, GPR_ZERO };      /* GPR_ZERO: always 0, for absent base or index */
enum segment_register { ES, CS, SS, DS, FS, GS, LDTR, TR, SEGMENT_COUNT };

/* EFLAGS [SDM 1, 3.4.3] */
enum { FLAG_CF = 1 << 0, FLAG_1 = 1 << 1, FLAG_PF = 1 << 2, FLAG_AF = 1 << 4, FLAG_ZF = 1 << 6, FLAG_SF = 1 << 7,
       FLAG_TF = 1 << 8, FLAG_IF = 1 << 9, FLAG_DF = 1 << 10, FLAG_OF = 1 << 11, FLAG_IOPL = 3 << 12, FLAG_NT = 1 << 14,
       FLAG_RF = 1 << 16, FLAG_VM = 1 << 17, FLAG_AC = 1 << 18, FLAG_VIF = 1 << 19, FLAG_VIP = 1 << 20, FLAG_ID = 1 << 21,
       FLAGS_ARITH = FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_OF };
/* struct cpu.arith: what LAHF and SETO give on the host: low byte OF (0 or 1), high byte SF ZF 0 AF 0 PF 1 CF. */
enum { ARITH_OF = 1, ARITH_CF = 0x0100, ARITH_PF = 0x0400, ARITH_AF = 0x1000, ARITH_ZF = 0x4000, ARITH_SF = 0x8000 };

enum { CR0_PE = 1 << 0, CR0_MP = 1 << 1, CR0_EM = 1 << 2, CR0_TS = 1 << 3, CR0_ET = 1 << 4, CR0_NE = 1 << 5,
       CR0_WP = 1 << 16, CR0_AM = 1 << 18, CR0_NW = 1 << 29, CR0_CD = 1 << 30 };
#define CR0_PG (1u << 31)
enum { CR4_VME = 1 << 0, CR4_PVI = 1 << 1, CR4_TSD = 1 << 2, CR4_DE = 1 << 3, CR4_PSE = 1 << 4, CR4_PAE = 1 << 5,
       CR4_MCE = 1 << 6, CR4_PGE = 1 << 7, CR4_PCE = 1 << 8, CR4_OSFXSR = 1 << 9, CR4_OSXMMEXCPT = 1 << 10 };

enum exception { EXC_DE, EXC_DB, EXC_NMI, EXC_BP, EXC_OF, EXC_BR, EXC_UD, EXC_NM, EXC_DF, EXC_CSO, EXC_TS, EXC_NP, EXC_SS,
                 EXC_GP, EXC_PF, EXC_MF = 16, EXC_AC, EXC_MC, EXC_XM };

/* What a model may have. Each opcode names the first of these that it needs. The order is no hierarchy: a model is a set. */
enum cpu_feature { HAS_386, HAS_486, HAS_CPUID, HAS_FPU, HAS_VME, HAS_DE, HAS_PSE, HAS_TSC, HAS_MSR, HAS_PAE, HAS_MCE, HAS_CX8,
                   HAS_APIC, HAS_SEP, HAS_MTRR, HAS_PGE, HAS_CMOV, HAS_PAT, HAS_PSE36, HAS_CLFSH, HAS_MMX, HAS_FXSR, HAS_SSE,
                   HAS_SSE2, HAS_PMC, HAS_UD2, HAS_PREFETCH, HAS_BSWAP, HAS_HYPERVISOR, HAS_FEATURES };

/* A segment register with its hidden part. `access` is bits 8..23 of the descriptor's second dword, as in VMX: type 0-3,
 * S 4, DPL 5-6, P 7, AVL 12, D/B 14, G 15; bit 16 set: null or unusable. limit is in bytes, granularity applied. */
struct segment {
    uint16_t selector;
    uint32_t access, base, limit;
    /* Derived by segment_update(): the highest offset of a 1-byte read or write that needs no slow check (expand-up
     * data, readable code), or -1: always the slow path. An access of n bytes passes when offset + n - 1 <= these. */
    int64_t read_limit, write_limit;
};
enum { SEG_TYPE = 15, SEG_S = 1 << 4, SEG_DPL = 3 << 5, SEG_P = 1 << 7, SEG_AVL = 1 << 12, SEG_DB = 1 << 14, SEG_G = 1 << 15,
       SEG_NULL = 1 << 16 };
/* How an access through a segment register is checked, in short. A base is a multiple of 4 in all but the last. */
enum segment_class { CLASS_FLAT,                /* base 0, limit 4 GiB */
                     CLASS_FULL,                /* limit 4 GiB: offsets wrap only where an access is misaligned */
                     CLASS_64K,                 /* limit at least FFFFh: 16-bit offsets pass, unless misaligned */
                     CLASS_OTHER };             /* whatever read_limit and write_limit say */
struct table_register { uint32_t base; uint16_t limit; };

/* x87 registers are physical (not rotated by TOP) 80-bit values, MMX registers alias the mantissas [SDM 1, 8.1, 9.2]. */
struct float80 { uint64_t mantissa; uint16_t exponent; };       /* exponent holds the sign in bit 15 */
struct fpu {
    struct float80 reg[8];
    uint16_t control, status;                   /* status with TOP in bits 11-13 as in FNSTSW */
    uint8_t tags;                               /* bit n: physical register n is not empty (as FXSAVE's abridged tag) */
    uint16_t opcode, cs, ds;                    /* FOP (11 bits), and the selectors of the last instruction and operand */
    uint32_t ip, dp;
};
struct xmm { uint32_t dword[4]; } __attribute__((aligned(16)));

/* What the guest sees of the outside; filled by the board. */
struct cpu_pins {
    void *board;
    int (*intack)(void *board);                 /* vector from the 8259 pair, called at delivery, under the machine lock */
    void (*eoi)(void *board, uint8_t vector);   /* local APIC: a level interrupt was ended (I/O APICs listen) */
    void (*apic_message)(void *board, uint32_t destination, uint32_t icr_low);     /* IPI to other CPUs */
};
/* Input pins of the CPU device. */
enum cpu_pin { CPU_INTR, CPU_NMI, CPU_SMI, CPU_A20, CPU_INIT, CPU_IGNNE };

/* cpu->pending: why the engine must leave its fast loop at the next instruction boundary. Atomic: any thread may set bits. */
enum { PENDING_INTR = 1, PENDING_NMI = 2, PENDING_KICK = 4, PENDING_APIC = 8, PENDING_INIT = 16, PENDING_SMI = 32,
       PENDING_MAP = 64,                        /* the memory map or A20 changed: drop translations */
       PENDING_DEBUG = 128,                     /* tlb->dr6_hits is not 0 */
       PENDING_CODE = 256 };                    /* the engine's own: decoded code was written by a device */
/* cpu->pin_levels, above the levels: edges that wait. */
enum { LATCHED_NMI = 1 << 16 };

struct tlb;                                     /* x86/mmu.h */
struct apic;                                    /* x86/apic.c */
struct engine;
struct cpu_model;                               /* x86/cpuid.c */

struct cpu {
    struct device dev;                          /* first member, always */

    uint32_t gpr[9];                            /* [GPR_ZERO] stays 0 */
    uint32_t eip;                               /* exact at instruction boundaries outside the engine's fast loop */
    uint32_t eflags;                            /* all but FLAGS_ARITH; bit 1 set. Use cpu_flags() / cpu_set_flags() */
    uint16_t arith;                             /* the arithmetic flags, ARITH_* */
    struct segment seg[SEGMENT_COUNT];
    uint16_t read_classes, write_classes;       /* derived by segment_update(): two bits a register, enum segment_class */
    struct table_register gdtr, idtr;
    uint32_t cr0, cr2, cr3, cr4;
    uint64_t pdpte[4];                          /* PAE: loaded with CR3 [SDM 3A, 4.4.1] */
    uint32_t dr[8];                             /* DR4/5 unused */
    uint32_t tr386[8];                          /* TR3-7 test registers of the 386/486 */
    uint8_t cpl;                                /* 0 in real mode, 3 in V86 */
    bool halted, shutdown;
    bool nmi_blocked;
    uint8_t shadow;                             /* 1: interrupts inhibited for one instruction (STI, MOV SS) */
    uint32_t pin_levels;                        /* bit per enum cpu_pin: saved */
    uint32_t a20_mask;                          /* ~0, or ~(1 << 20) */

    struct fpu fpu;
    struct xmm xmm[8];
    uint32_t mxcsr;
    bool ferr;                                  /* level of FERR#: an unmasked x87 error is pending */
    struct wire ferr_out;                       /* output pin: IRQ13 through the board */

    /* MSRs [SDM 4] */
    uint64_t tsc_offset, apic_base, sysenter_cs, sysenter_esp, sysenter_eip, pat, mtrr_def, mtrr_fixed[11], mtrr_var[16],
             misc_enable, debugctl, mcg_status, efer;

    /* Fixed after init */
    char *model_name, *features_text;           /* properties */
    uint64_t tsc_hz;
    uint32_t cpuid_max;                         /* highest standard leaf reported; UINT32_MAX: the model's own */
    const struct cpu_model *model;
    uint64_t features;                          /* BIT(enum cpu_feature) */
    uint32_t flags_fixed;                       /* EFLAGS bits that this model can hold (a 386 has no AC, ID) */
    uint32_t cr4_allowed;
    unsigned physical_bits;                     /* 32, or 36 with PAE */
    struct cpu_pins pins;
    uint64_t code_cache;                        /* bytes that an engine may use for translated code; 0: its default */
    bool dos_idle;                              /* DOS's idle calls rest the CPU */
    bool tsc_after_post;                        /* CPUID does not tell of the TSC while F0000h is RAM that takes writes */
    bool perf_map;                              /* translated code is named for perf */
    bool no_windows;                            /* the translator reaches memory by its tables alone */
    struct apic *apic;                          /* NULL without HAS_APIC */

    /* Engine's */
    atomic_uint pending;
    atomic_bool kicked;
    const struct engine *engine;
    void *engine_data;
    struct tlb *tlb;
    uint32_t sse_live;                          /* the translator's: see its translate_sse.c */
    uint32_t fpu_live, fpu_record, fpu_operand, fpu_address; /* the translator's: see its fpu.c */
    const void *current;                        /* the instruction being executed (engine's own type) */
    uint64_t instructions;                      /* executed; exact at engine exits */
    jmp_buf fault;                              /* cpu_raise() leaves through this */
    struct { int vector; uint32_t error; bool has_error; } raised;
    void (*sync)(struct cpu *);                 /* makes `instructions` exact while `current` is executed; NULL: they are */
    unsigned idle_calls;                        /* of DOS, in a row; see exec_INT */
    uint64_t idle_last;                         /* instructions at the last */
    unsigned polls; uint64_t poll_last, poll_state;     /* the same for a loop that asks the BIOS for a key: polls() in exec_far.c */
    uint64_t exits_io, exits_mmio, exits_hlt;   /* --stats */
};

static inline bool cpu_has(const struct cpu *c, enum cpu_feature f) { return c->features >> f & 1; }
static inline bool cpu_protected(const struct cpu *c) { return c->cr0 & CR0_PE; }
static inline bool cpu_v86(const struct cpu *c) { return c->eflags & FLAG_VM; }
static inline unsigned cpu_iopl(const struct cpu *c) { return c->eflags >> 12 & 3; }
static inline bool segment_big(const struct segment *s) { return s->access & SEG_DB; }
static inline unsigned segment_dpl(const struct segment *s) { return s->access >> 5 & 3; }

static inline uint32_t cpu_flags(const struct cpu *c)
{
    return c->eflags | (c->arith >> 8 & (FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF)) | (uint32_t)(c->arith & 1) << 11;
}
static inline void cpu_set_arith(struct cpu *c, uint32_t flags)
{
    c->arith = (uint16_t)((flags & (FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF)) << 8 | 0x0200 | (flags >> 11 & 1));
}
/* Sets all flags as given, without checks; bit 1 is forced, bits the model lacks are cleared. */
static inline void cpu_set_flags(struct cpu *c, uint32_t flags)
{
    cpu_set_arith(c, flags);
    c->eflags = (flags & ~FLAGS_ARITH & c->flags_fixed) | FLAG_1;
}

extern const struct device_class cpu_class;
static inline struct cpu *cpu_of(struct device *d) { return container_of(d, struct cpu, dev); }

/* --- x86/exception.c ------------------------------------------------------------------------------------------ */
/* Leaves the instruction at once: a fault whose saved EIP is the start of the current instruction. Handlers must not
 * have changed guest-visible state before. In the engine: longjmp to cpu->fault with cpu->raised filled. */
_Noreturn void cpu_raise(struct cpu *, enum exception);
_Noreturn void cpu_raise_error(struct cpu *, enum exception, uint32_t error);
/* Delivers through the IDT; cpu->eip is what is saved. `kind` decides EXT, privilege checks of gates (software INTs),
 * RF, and what a fault during delivery becomes (double fault, shutdown). Never returns by longjmp: faults inside are handled, and
 * cpu->shutdown is set on a triple fault. */
enum delivery { DELIVER_EXCEPTION, DELIVER_SOFTWARE, DELIVER_SOFTWARE_ICEBP, DELIVER_EXTERNAL };
void cpu_deliver(struct cpu *, int vector, enum delivery, bool has_error, uint32_t error);
/* At an instruction boundary: takes NMI, INTR/APIC interrupts, INIT if they may be taken now; wakes from HLT. */
void cpu_service_pending(struct cpu *);
bool cpu_interrupt_ready(struct cpu *);         /* would cpu_service_pending take something? (wakes a halted CPU) */
/* As cpu_deliver for INT n, INT3, INTO and INT1 (kind): `next` is saved; cpu->eip, the instruction itself, is saved by a fault. */
void cpu_interrupt(struct cpu *, int vector, enum delivery kind, uint32_t next);
/* INT n in V86 mode through the 8086 program's own table (VME). May fault, by longjmp. */
void cpu_interrupt_v86(struct cpu *, uint8_t vector, uint32_t next);
void cpu_recheck(struct cpu *);                 /* IF, TPR, NMI blocking moved: sets the pending bits that now matter */
/* Must the engine look at each instruction? TF, RF (cleared after the instruction), enabled breakpoints, an inhibited interrupt. */
static inline bool cpu_step_wise(const struct cpu *c) { return c->eflags & (FLAG_TF | FLAG_RF) || c->dr[7] & 0xff || c->shadow; }
/* Before an instruction when cpu_step_wise(): a code breakpoint at cs:eip delivers its #DB; true if so. */
bool cpu_code_breakpoint(struct cpu *);
/* #DB after an instruction: TF, data breakpoints collected in dr6_hits by the mmu, task-switch T bit. */
void cpu_debug_trap(struct cpu *, uint32_t dr6_bits);

/* --- x86/cpu.c ------------------------------------------------------------------------------------------------ */
void cpu_reset(struct cpu *, enum reset_kind);  /* POWER/HARD, or SOFT = INIT */
void cpu_pend(struct cpu *, unsigned bits);     /* [any thread] sets pending bits and wakes a halted CPU */
int64_t cpu_time(const struct cpu *);           /* guest ns now */
uint64_t cpu_tsc(const struct cpu *);

/* --- x86/cpuid.c, x86/msr.c, x86/control.c -------------------------------------------------------------------- */
enum { DR6_FIXED = (int)0xffff0ff0, DR6_BD = 1 << 13, DR6_BS = 1 << 14, DR6_BT = 1 << 15, DR7_FIXED = 1 << 10, DR7_GD = 1 << 13 };
bool cpu_model_apply(struct cpu *, struct error *);     /* model_name and features_text into model, features and what follows */
void cpu_model_names(char *text, size_t size);          /* "386, 486, ..." */
void cpu_cpuid(const struct cpu *, uint32_t leaf, uint32_t out[4]);     /* EAX EBX ECX EDX */
uint32_t cpu_signature(const struct cpu *);             /* family, model, stepping: EDX after RESET */
bool cpu_msr_read(struct cpu *, uint32_t index, uint64_t *value);       /* false: #GP */
bool cpu_msr_write(struct cpu *, uint32_t index, uint64_t value);
void msr_reset(struct cpu *);
/* MOV to a control register, with all its checks (cpu_raise) and consequences. */
void control_write_cr0(struct cpu *, uint32_t), control_write_cr3(struct cpu *, uint32_t), control_write_cr4(struct cpu *, uint32_t);

#endif
