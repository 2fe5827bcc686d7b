#include "core/wire.h"
#include "core/device.h"

void wire_set(const struct wire *w, bool level)
{
    if (w->to && w->to->class->input)
        w->to->class->input(w->to, w->pin, level);
}
