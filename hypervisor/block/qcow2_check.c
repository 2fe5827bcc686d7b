/* qcow2: counts what the tables name and compares with the refcounts. The count is kept in memory, two bytes a cluster of
 * the file. References: [QCOW2]. */
#include "block/qcow2.h"
#include "base/bits.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct check { struct qcow2 *q; uint16_t *counts; uint64_t clusters; struct qcow2_report *report; };

/* One more name for the clusters of a range of the file. */
static void name(struct check *c, uint64_t offset, uint64_t length)
{
    uint64_t first = offset >> c->q->cluster_bits, end = (offset + length + c->q->cluster_size - 1) >> c->q->cluster_bits;
    if (offset + length < offset || end > c->clusters) {
        c->report->errors++;
        return;
    }
    for (uint64_t i = first; i < end; i++)
        if (c->counts[i] < UINT16_MAX)
            c->counts[i]++;
}

static int check_entry(struct check *c, uint64_t entry)
{
    struct qcow2 *q = c->q;
    uint64_t at;
    size_t length;
    if (entry & ENTRY_COMPRESSED) {
        qcow2_packed(q, entry, &at, &length);
        c->report->clusters++;
        c->report->compressed++;
        name(c, at, length);
    } else if (entry & ENTRY_OFFSET) {
        uint64_t count;
        c->report->clusters++;
        c->report->errors += (entry & ENTRY_OFFSET) % q->cluster_size != 0;
        name(c, entry & ENTRY_OFFSET, q->cluster_size);
        int error = refcount_get(q, (entry & ENTRY_OFFSET) >> q->cluster_bits, &count);
        if (error)
            return error;
        c->report->errors += (entry & ENTRY_COPIED) && count != 1;
    }
    return 0;
}

static int check_tables(struct check *c)
{
    struct qcow2 *q = c->q;
    name(c, 0, q->cluster_size);
    name(c, q->l1_offset, q->l1_size * 8ull);
    name(c, q->reftable_offset, q->reftable_clusters * q->cluster_size);
    for (uint32_t i = 0; i < q->reftable_entries; i++)
        if (q->reftable[i] & ENTRY_OFFSET)
            name(c, q->reftable[i] & ENTRY_OFFSET, q->cluster_size);
    for (uint32_t i = 0; i < q->l1_size; i++) {
        struct table *t;
        if (!(q->l1[i] & ENTRY_OFFSET))
            continue;
        name(c, q->l1[i] & ENTRY_OFFSET, q->cluster_size);
        for (uint64_t j = 0; j < q->cluster_size / 8; j++) {
            int error = table_get(q, &q->l2, q->l1[i] & ENTRY_OFFSET, &t);
            if (!error)
                error = check_entry(c, be64_get(t->bytes + j * 8));
            if (error)
                return error;
        }
    }
    return 0;
}

int qcow2_check_on(struct qcow2 *q, struct qcow2_report *report)
{
    struct check c = { .q = q, .report = report };
    memset(report, 0, sizeof(*report));
    c.clusters = (q->file->size + q->cluster_size - 1) >> q->cluster_bits;
    c.counts = calloc(c.clusters, sizeof(*c.counts));
    int error = c.counts ? check_tables(&c) : -ENOMEM;
    for (uint64_t i = 0; i < c.clusters && !error; i++) {
        uint64_t count;
        error = refcount_get(q, i, &count);
        report->errors += count < c.counts[i];
        report->leaks += count > c.counts[i];
    }
    free(c.counts);
    return error;
}

bool qcow2_check(const char *path, struct qcow2_report *report, struct error *err)
{
    char *backing, *format;
    struct block *file = block_open_raw(path, BLOCK_RDONLY, err);
    struct qcow2 *q = file ? qcow2_open_on(file, path, false, &backing, &format, err) : NULL;
    if (!q)
        return false;
    int error = qcow2_refcounts_load(q, err) ? qcow2_check_on(q, report) : -err->code;
    if (error)
        error_set(err, -error, "cannot check %s: %s", path, strerror(-error));
    free(backing);
    free(format);
    block_close(&q->b);
    return !error;
}
