/*
 * daemon/config_hint.h - where a key belongs that stands in the wrong place of the configuration.
 */
#ifndef DAEMON_CONFIG_HINT_H
#define DAEMON_CONFIG_HINT_H

#include <stdbool.h>
#include <stddef.h>

/* `path` is "" or "endpoints[0]." or "listen[0].", `group` "" or "limits.": where `key` stands,
 * among options of these `scopes` (1 << OPTION_*). True with half a sentence if it is known
 * elsewhere. */
bool config_hint(
    const char *path, const char *group, unsigned scopes, const char *key, char *hint, size_t size);

#endif
