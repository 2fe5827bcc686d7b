/* An emitter of just the host encodings that the translator needs [SDM2, chapter 2].
 *
 * Code is written through `p` and executed at `p` + `run`: the cache is mapped twice, writable and executable, never both.
 * Nothing here checks for room: the cache hands out room for the longest block. */
#ifndef TRANSLATOR_EMIT_X64_H
#define TRANSLATOR_EMIT_X64_H
#include "base/bits.h"
#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Host registers by number. What each holds is in translator.h. */
enum host_register { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15, NO_REGISTER = 16 };

struct emitter { uint8_t *p; intptr_t run; bool plain; };      /* plain: the host has no BMI2 */

static inline void emit8(struct emitter *e, unsigned v) { *e->p++ = (uint8_t)v; }
static inline void emit32(struct emitter *e, uint32_t v) { le32_put(e->p, v); e->p += 4; }
static inline void emit64(struct emitter *e, uint64_t v) { le64_put(e->p, v); e->p += 8; }

/* --- ModRM ---------------------------------------------------------------------------------------------------- */
/* A memory operand: base + index << scale + disp; base or index may be NO_REGISTER. */
struct address { uint8_t base, index, scale; int32_t disp; };

static inline unsigned rex_of(unsigned w, unsigned reg, unsigned index, unsigned base)
{
    return 0x40 | w << 3 | (reg >> 3 & 1) << 2 | (index == NO_REGISTER ? 0 : index >> 3 & 1) << 1 | (base == NO_REGISTER ? 0 : base >> 3 & 1);
}

static inline void emit_modrm_memory(struct emitter *e, unsigned reg, struct address a)
{
    unsigned field = (reg & 7) << 3;
    if (a.base == NO_REGISTER) {                                /* SIB without a base: disp32 */
        emit8(e, field | 4);
        emit8(e, a.scale << 6 | (a.index == NO_REGISTER ? 4 : a.index & 7) << 3 | 5);
        emit32(e, (uint32_t)a.disp);
        return;
    }
    unsigned mod = !a.disp && (a.base & 7) != RBP ? 0 : a.disp == (int8_t)a.disp ? 1 : 2;
    if (a.index == NO_REGISTER && (a.base & 7) != RSP) {
        emit8(e, mod << 6 | field | (a.base & 7));
    } else {
        emit8(e, mod << 6 | field | 4);
        emit8(e, a.scale << 6 | (a.index == NO_REGISTER ? 4 : a.index & 7) << 3 | (a.base & 7));
    }
    if (mod == 1)
        emit8(e, (uint8_t)a.disp);
    else if (mod == 2)
        emit32(e, (uint32_t)a.disp);
}
static inline void emit_modrm_register(struct emitter *e, unsigned reg, unsigned rm) { emit8(e, 0xc0 | (reg & 7) << 3 | (rm & 7)); }

/* opcode: one byte, or 0F in its upper byte and the second. */
static inline void emit_opcode(struct emitter *e, unsigned opcode)
{
    if (opcode >> 8)
        emit8(e, opcode >> 8);
    emit8(e, opcode);
}
static inline void emit_rm(struct emitter *e, unsigned w, unsigned opcode, unsigned reg, unsigned rm)
{
    unsigned rex = rex_of(w, reg, NO_REGISTER, rm);
    if (rex != 0x40)
        emit8(e, rex);
    emit_opcode(e, opcode);
    emit_modrm_register(e, reg, rm);
}
static inline void emit_mem(struct emitter *e, unsigned w, unsigned opcode, unsigned reg, struct address a)
{
    unsigned rex = rex_of(w, reg, a.index, a.base);
    if (rex != 0x40)
        emit8(e, rex);
    emit_opcode(e, opcode);
    emit_modrm_memory(e, reg, a);
}

/* --- instructions that keep the flags --------------------------------------------------------------------------- */
static inline struct address at(unsigned base, int32_t disp) { return (struct address){ (uint8_t)base, NO_REGISTER, 0, disp }; }
static inline struct address at_index(unsigned base, unsigned index, unsigned scale, int32_t disp)
{
    return (struct address){ (uint8_t)base, (uint8_t)index, (uint8_t)scale, disp };
}
static inline void emit_mov(struct emitter *e, unsigned to, unsigned from) { emit_rm(e, 0, 0x8b, to, from); }
static inline void emit_mov64(struct emitter *e, unsigned to, unsigned from) { emit_rm(e, 1, 0x8b, to, from); }
static inline void emit_load(struct emitter *e, unsigned to, struct address a) { emit_mem(e, 0, 0x8b, to, a); }
static inline void emit_load64(struct emitter *e, unsigned to, struct address a) { emit_mem(e, 1, 0x8b, to, a); }
static inline void emit_store(struct emitter *e, struct address a, unsigned from) { emit_mem(e, 0, 0x89, from, a); }
static inline void emit_store64(struct emitter *e, struct address a, unsigned from) { emit_mem(e, 1, 0x89, from, a); }
static inline void emit_lea(struct emitter *e, unsigned to, struct address a) { emit_mem(e, 0, 0x8d, to, a); }
static inline void emit_lea64(struct emitter *e, unsigned to, struct address a) { emit_mem(e, 1, 0x8d, to, a); }
static inline void emit_mov_imm(struct emitter *e, unsigned to, uint32_t v)
{
    if (to >= 8)
        emit8(e, 0x41);
    emit8(e, 0xb8 | (to & 7));
    emit32(e, v);
}
static inline void emit_mov_imm64(struct emitter *e, unsigned to, uint64_t v)
{
    if (v <= UINT32_MAX) {
        emit_mov_imm(e, to, (uint32_t)v);
        return;
    }
    emit8(e, to >= 8 ? 0x49 : 0x48);
    emit8(e, 0xb8 | (to & 7));
    emit64(e, v);
}
static inline void emit_store_imm(struct emitter *e, struct address a, uint32_t v)
{
    emit_mem(e, 0, 0xc7, 0, a);
    emit32(e, v);
}
static inline void emit_movzx16(struct emitter *e, unsigned to, unsigned from) { emit_rm(e, 0, 0x0fb7, to, from); }
/* Changes flags. */
static inline void emit_neg64(struct emitter *e, unsigned reg) { emit_rm(e, 1, 0xf7, 3, reg); }
static inline void emit_not64(struct emitter *e, unsigned reg) { emit_rm(e, 1, 0xf7, 2, reg); }
/* Hosts without BMI2: PUSHFQ, MOV, the shift (ROR 1, SHR 5), POPFQ. Slow, but flags stay. */
static inline void emit_plain_shift(struct emitter *e, unsigned w, unsigned to, unsigned from, unsigned shift, unsigned count)
{
    emit8(e, 0x9c);
    emit_rm(e, w, 0x8b, to, from);
    emit_rm(e, w, 0xc1, shift, to);
    emit8(e, count);
    emit8(e, 0x9d);
}
/* RORX to, from, count [BMI2]: three-byte VEX, map 0F3Ah */
static inline void emit_rorx(struct emitter *e, unsigned w, unsigned to, unsigned from, unsigned count)
{
    if (e->plain) {
        emit_plain_shift(e, w, to, from, 1, count);
        return;
    }
    emit8(e, 0xc4);
    emit8(e, (to & 8 ? 0 : 0x80) | 0x40 | (from & 8 ? 0 : 0x20) | 3);
    emit8(e, w << 7 | 0x7b);
    emit8(e, 0xf0);
    emit_modrm_register(e, to, from);
    emit8(e, count);
}
/* Shifts right by 10, 11 or 12: SHRX to, from, `by` [BMI2], where r15, r13 and r14 hold these counts in their low bits */
static inline void emit_shrx(struct emitter *e, unsigned w, unsigned to, unsigned from, unsigned by)
{
    if (e->plain) {
        emit_plain_shift(e, w, to, from, 5, by == R15 ? 10 : by == R13 ? 11 : 12);
        return;
    }
    emit8(e, 0xc4);
    emit8(e, (to & 8 ? 0 : 0x80) | 0x40 | (from & 8 ? 0 : 0x20) | 2);
    emit8(e, w << 7 | (~by & 15) << 3 | 3);
    emit8(e, 0xf7);
    emit_modrm_register(e, to, from);
}

/* --- jumps. The short ones return where their displacement is, for emit_here(). ------------------------------------- */
static inline uint8_t *emit_jrcxz(struct emitter *e)
{
    emit8(e, 0xe3);
    emit8(e, 0);
    return e->p - 1;
}
static inline uint8_t *emit_jecxz(struct emitter *e)
{
    emit8(e, 0x67);
    return emit_jrcxz(e);
}
static inline uint8_t *emit_jmp_short(struct emitter *e)
{
    emit8(e, 0xeb);
    emit8(e, 0);
    return e->p - 1;
}
static inline void emit_here(struct emitter *e, uint8_t *displacement)
{
    assert(e->p - displacement - 1 <= INT8_MAX);
    *displacement = (uint8_t)(e->p - displacement - 1);
}
/* `to` is an address in the writable mapping. */
static inline void emit_rel32(struct emitter *e, const uint8_t *to) { emit32(e, (uint32_t)(to - (e->p + 4))); }
static inline void emit_jmp(struct emitter *e, const uint8_t *to) { emit8(e, 0xe9); emit_rel32(e, to); }
static inline void emit_call(struct emitter *e, const uint8_t *to) { emit8(e, 0xe8); emit_rel32(e, to); }
static inline void emit_call_c(struct emitter *e, uint64_t function)
{
    emit_mov_imm64(e, RAX, function);
    emit8(e, 0xff);
    emit8(e, 0xd0);
}

#endif
