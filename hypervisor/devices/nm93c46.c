#include "devices/nm93c46.h"

const struct state_field nm93c46_state[] = {
    FIELD(struct nm93c46, select), FIELD(struct nm93c46, clock), FIELD(struct nm93c46, out), FIELD(struct nm93c46, started),
    FIELD(struct nm93c46, bits), FIELD(struct nm93c46, command), FIELD(struct nm93c46, data), END
};
