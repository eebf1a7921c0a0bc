#include "base/say.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 2048 };

/* Loaded options: the lowest level that is written and the format. */
static _Atomic int say_lowest = SAY_INFO;
static _Atomic int say_chosen = SAY_PLAIN;

void say_configure(enum say_level lowest, enum say_format format) {
    say_lowest = lowest;
    say_chosen = format;
}

static size_t say_escape(char *out, size_t room, const char *text, bool json) {
    size_t len = 0;
    for (; *text && len + 8 < room; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < 0x20 || c == 0x7f)
            len += (size_t)snprintf(out + len, room - len, "\\u%04x", c);
        else if (json && (c == '"' || c == '\\'))
            out[len++] = '\\', out[len++] = (char)c;
        else
            out[len++] = (char)c;
    }
    return len;
}

void say_line(enum say_level level, const char *format, ...) {
    static const char *const words[] = {"debug", "info", "warning", "error"};
    if ((int)level < say_lowest) return;
    char text[LINE_MAX_BYTES / 2], line[LINE_MAX_BYTES];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);

    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    struct tm parts;
    gmtime_r(&now.tv_sec, &parts);
    char stamp[40];
    size_t stamp_len = strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(stamp + stamp_len, sizeof stamp - stamp_len, ".%03ldZ", now.tv_nsec / 1000000);

    bool json = say_chosen == SAY_JSON;
    int head = snprintf(line, sizeof line,
                        json ? "{\"time\":\"%s\",\"level\":\"%s\",\"message\":\"" : "%s %s ", stamp,
                        words[level]);
    size_t len = (size_t)head + say_escape(line + head, sizeof line - (size_t)head - 4, text, json);
    len += (size_t)snprintf(line + len, sizeof line - len, json ? "\"}\n" : "\n");
    if (write(STDERR_FILENO, line, len) < 0) return; /* nowhere left to say it */
}
