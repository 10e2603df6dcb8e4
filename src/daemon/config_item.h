/*
 * daemon/config_item.h - an item of a list with what stands behind it, "ws://a weight=3 backup", as
 * JSON has it: { "url": "ws://a", "weight": 3, "backup": true }. Both ways.
 */
#ifndef DAEMON_CONFIG_ITEM_H
#define DAEMON_CONFIG_ITEM_H

#include <jansson.h>
#include <stddef.h>

#include "base/buf.h"
#include "server/options.h"

/* Appends the text of an object, with a NUL. 0; -EINVAL and a complaint that follows the path of
 * the object (".weight: this is not a whole number"); -ENOMEM. What the values may be is found out
 * when the text is set. */
int config_item_read(
    const struct option *opt, json_t *object, struct buf *text, char *why, size_t why_size);
/* A string where nothing stands behind it, else an object; NULL: memory is out. */
json_t *config_item_json(const struct option *opt, const char *item);

#endif
