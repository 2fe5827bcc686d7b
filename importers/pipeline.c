#include "importers/pipeline.h"
#include "base/bits.h"
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

enum { RING = 16 };
struct worker { struct pipeline *p; struct lane lane; pthread_t thread; uint64_t taken; };
struct pipeline {
    struct worker workers[PIPELINE_LANES]; unsigned count;
    uint8_t *bytes, *zeros; struct chunk ring[RING]; uint64_t filled, offset;
    pthread_mutex_t lock; pthread_cond_t more, room; bool ending, failed; struct error error;
};

static void *work(void *arg)
{
    struct worker *w = arg;
    struct pipeline *p = w->p;
    pthread_mutex_lock(&p->lock);
    for (;;) {
        while (w->taken == p->filled && !p->ending)
            pthread_cond_wait(&p->more, &p->lock);
        if (w->taken == p->filled)
            break;
        struct chunk chunk = p->ring[w->taken % RING];
        struct error error;
        bool skip = p->failed;
        pthread_mutex_unlock(&p->lock);
        bool ok = skip || w->lane.take(w->lane.arg, &chunk, &error);
        pthread_mutex_lock(&p->lock);
        if (!ok && !p->failed) {
            p->failed = true;
            p->error = error;
        }
        w->taken++;
        pthread_cond_signal(&p->room);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

struct pipeline *pipeline_open(const struct lane *lanes, unsigned count, struct error *err)
{
    struct pipeline *p = calloc(1, sizeof(*p));
    if (p) {
        pthread_mutex_init(&p->lock, NULL);
        pthread_cond_init(&p->more, NULL);
        pthread_cond_init(&p->room, NULL);
        p->bytes = malloc((size_t)RING * PIPELINE_CHUNK);
        p->zeros = calloc(1, PIPELINE_CHUNK);
        bool ok = p->bytes && p->zeros;
        for (unsigned n = 0; ok && n < count; n++, p->count += ok) {
            p->workers[n] = (struct worker){ .p = p, .lane = lanes[n] };
            ok = !pthread_create(&p->workers[n].thread, NULL, work, &p->workers[n]);
        }
        if (ok)
            return p;
        pipeline_free(p);
    }
    error_set(err, ENOMEM, "no memory or no threads to read with");
    return NULL;
}

/* Chunks that a lane has still to take; the lock is held. */
static uint64_t waiting(const struct pipeline *p)
{
    uint64_t most = 0;
    for (unsigned n = 0; n < p->count; n++)
        most = MAX(most, p->filled - p->workers[n].taken);
    return most;
}

static bool wait_until(struct pipeline *p, uint64_t left)
{
    pthread_mutex_lock(&p->lock);
    while (waiting(p) > left)
        pthread_cond_wait(&p->room, &p->lock);
    bool ok = !p->failed;
    pthread_mutex_unlock(&p->lock);
    return ok;
}

uint8_t *pipeline_room(struct pipeline *p)
{
    return wait_until(p, RING - 1) ? p->bytes + p->filled % RING * PIPELINE_CHUNK : NULL;
}

void pipeline_put(struct pipeline *p, size_t length, bool zeros)
{
    struct chunk chunk = { zeros ? p->zeros : p->bytes + p->filled % RING * PIPELINE_CHUNK, length, p->offset, zeros };
    pthread_mutex_lock(&p->lock);
    p->ring[p->filled++ % RING] = chunk;
    p->offset += length;
    pthread_cond_broadcast(&p->more);
    pthread_mutex_unlock(&p->lock);
}

bool pipeline_drain(struct pipeline *p, struct error *err)
{
    if (wait_until(p, 0))
        return true;
    *err = p->error;
    return false;
}

void pipeline_free(struct pipeline *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->ending = true;
    pthread_cond_broadcast(&p->more);
    pthread_mutex_unlock(&p->lock);
    for (unsigned n = 0; n < p->count; n++)
        pthread_join(p->workers[n].thread, NULL);
    pthread_cond_destroy(&p->more);
    pthread_cond_destroy(&p->room);
    pthread_mutex_destroy(&p->lock);
    free(p->bytes);
    free(p->zeros);
    free(p);
}

double seconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

void meter_show(struct meter *m, enum import_stage stage)
{
    double now = seconds_now(), taken = now - m->begun;
    if (!m->progress || (m->p.stage == stage && now - m->shown < 0.25))
        return;
    m->shown = now;
    m->p.stage = stage;
    if (stage == IMPORT_READING)
        m->p.rate = taken > 0 ? (double)(m->p.done - m->begun_at) / taken : 0;
    m->p.eta = m->p.total && m->p.rate > 0 ? (double)(m->p.total - m->p.done) / m->p.rate : -1;
    m->progress(m->ui, &m->p);
}
