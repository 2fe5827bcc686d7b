/* A capture in the classic pcap format, times in nanoseconds. See [PCAP].
 *
 * References: [PCAP] file header and packet record. */
#include "net/backend.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAGIC_NS = 0xa1b23c4d, MAJOR = 2, MINOR = 4, SNAPLEN = 65535, ETHERNET = 1 };
struct pcap { FILE *file; };

struct pcap *pcap_open(const char *path, struct error *err)
{
    struct pcap *p = calloc(1, sizeof(*p));
    uint8_t header[24] = { 0 };
    le32_put(header, MAGIC_NS);
    le16_put(header + 4, MAJOR);
    le16_put(header + 6, MINOR);
    le32_put(header + 16, SNAPLEN);
    le32_put(header + 20, ETHERNET);
    if (p && (p->file = fopen(path, "wbe")) && fwrite(header, sizeof(header), 1, p->file) == 1 && !fflush(p->file))
        return p;
    error_set(err, errno, "net.capture: %s cannot be written (%s)", path, strerror(errno));
    if (p)
        pcap_close(p);
    return NULL;
}

/* A record is written whole and at once, so that a reader may follow. A full disk ends the capture, not the guest. */
void pcap_write(struct pcap *p, int64_t wall_ns, const uint8_t *frame, size_t length)
{
    uint8_t record[16];
    if (!p->file)
        return;
    le32_put(record, (uint32_t)(wall_ns / NS_PER_S));
    le32_put(record + 4, (uint32_t)(wall_ns % NS_PER_S));
    le32_put(record + 8, (uint32_t)length);
    le32_put(record + 12, (uint32_t)length);
    if (fwrite(record, sizeof(record), 1, p->file) == 1 && fwrite(frame, length, 1, p->file) == 1 && !fflush(p->file))
        return;
    log_line(LOG_ERROR, "net", "net.capture ends here: %s", strerror(errno));
    fclose(p->file);
    p->file = NULL;
}

void pcap_close(struct pcap *p)
{
    if (p->file)
        fclose(p->file);
    free(p);
}
