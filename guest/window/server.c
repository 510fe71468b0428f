/* Requests to the host's server that user32 makes by itself, past win32u, and one that the guest
 * makes for itself. Their numbers and layouts are those of one version of Wine, which is looked
 * at when the guest is made ready (calls.c). */
#include "window.h"

enum {
    REQ_SEND_MESSAGE = 111,
    REQ_IS_WINDOW_HUNG = 120,
    REQ_GET_DESKTOP_WINDOW = 136,
    REQ_GET_WINDOW_INFO = 138,
    REQ_GET_WINDOW_CHILDREN = 142,
    REQ_GET_WINDOW_PROPERTIES = 160,
    REQ_CREATE_WINSTATION = 161,
    REQ_GET_PROCESS_WINSTATION = 164,
    REQ_SET_PROCESS_WINSTATION = 165,
    REQ_ENUM_WINSTATION = 166,
    REQ_CREATE_DESKTOP = 167,
    REQ_GET_THREAD_DESKTOP = 171,
    REQ_SET_THREAD_DESKTOP = 172,
    REQ_SET_USER_OBJECT_INFO = 174,
};

/* struct __server_request_info: the fixed part, in which the answer comes back, then what goes
 * with it and where variable answers go. */
struct request {
    union {
        struct {
            int32_t code;
            uint32_t size, reply_size;
            uint32_t word[13];
        } in;
        struct {
            uint32_t status, size;
            uint32_t word[14];
        } out;
    };
    uint32_t data_count;
    void *reply;
    struct {
        const void *ptr;
        uint32_t size;
    } data[5];
};

/* Words of the fixed part, counted as in.word. */
#define MESSAGE_THREAD  0 /* send_message.id */
#define WINDOW          0 /* handle, of most */
#define CHILDREN_PARENT 1 /* get_window_children.parent */
#define CHILDREN_THREAD 3 /* get_window_children.tid */

#define NT_NO_MORE_ENTRIES GUEST_STATUS(0x8000001a)

/* --- requests of the guest's own ------------------------------------------------------------ *
 * What win32u does for a program, the guest does here by itself: it must be able to when it is
 * called by win32u's own Unix part, where win32u cannot be called. */
#define ALL_STATION 0xf037f /* WINSTA_ALL_ACCESS, standard rights: what win32u asks for */
#define ALL_DESKTOP 0x01ff
#define ATTRIBUTES  0xc0 /* OBJ_OPENIF | OBJ_CASE_INSENSITIVE */
#define SET_FLAGS   1    /* set_user_object_info */
#define FULL_NAME   2

static void add_name(struct request *r, const fvm_wchar *name, uint32_t len)
{
    r->data[0].ptr = name;
    r->data[0].size = r->in.size = len * (uint32_t)sizeof(*name);
    r->data_count = 1;
}

bool window_process_station(void)
{
    struct request r = {.in = {.code = REQ_GET_PROCESS_WINSTATION}};

    return !window_real.server_call(&r) && r.out.word[0];
}

bool window_thread_desktop(void)
{
    struct request r = {.in = {.code = REQ_GET_THREAD_DESKTOP, .word[0] = nt_thread_id()}};

    return !window_real.server_call(&r) && r.out.word[0];
}

void window_enter_station(const fvm_wchar *name, uint32_t len, bool visible)
{
    struct request r = {
        .in = {.code = REQ_CREATE_WINSTATION, .word[1] = ALL_STATION, .word[2] = ATTRIBUTES}};
    uint32_t handle;

    add_name(&r, name, len);
    /* that it is there already is told as a success of another kind */
    if ((int32_t)window_real.server_call(&r) < 0 || !(handle = r.out.word[0])) return;
    r = (struct request){.in = {.code = REQ_SET_PROCESS_WINSTATION, .word[0] = handle}};
    if (window_real.server_call(&r) || !visible) return;
    r = (struct request){.in = {.code = REQ_SET_USER_OBJECT_INFO,
                                .word[0] = handle,
                                .word[1] = SET_FLAGS,
                                .word[2] = 1 /* WSF_VISIBLE */}};
    window_real.server_call(&r);
}

void window_enter_desktop(const fvm_wchar *name, uint32_t len)
{
    struct request r = {
        .in = {.code = REQ_CREATE_DESKTOP, .word[1] = ALL_DESKTOP, .word[2] = ATTRIBUTES}};
    uint32_t handle;

    add_name(&r, name, len);
    if ((int32_t)window_real.server_call(&r) < 0 || !(handle = r.out.word[0])) return;
    r = (struct request){.in = {.code = REQ_SET_THREAD_DESKTOP, .word[0] = handle}};
    window_real.server_call(&r);
}

uint32_t window_desktop_name(fvm_wchar *text, uint32_t cap)
{
    struct request r = {.in = {.code = REQ_GET_THREAD_DESKTOP, .word[0] = nt_thread_id()}};

    if (window_real.server_call(&r) || !r.out.word[0]) return 0;
    r = (struct request){.in = {.code = REQ_SET_USER_OBJECT_INFO,
                                .reply_size = cap * (uint32_t)sizeof(*text),
                                .word[0] = r.out.word[0],
                                .word[1] = FULL_NAME},
                         .reply = text};
    return window_real.server_call(&r) ? 0 : r.out.size / (uint32_t)sizeof(*text);
}

bool window_ask_desktop(bool force, uint32_t *top, uint32_t *messages)
{
    struct request r = {.in = {.code = REQ_GET_DESKTOP_WINDOW, .word[0] = force}};

    if (window_real.server_call(&r)) return false;
    *top = r.out.word[0];
    if (messages) *messages = r.out.word[1];
    return true;
}

bool window_ask_owner(uint32_t hwnd, uint32_t *full, uint32_t *pid, uint32_t *tid)
{
    struct request r = {.in = {.code = REQ_GET_WINDOW_INFO, .word[0] = hwnd}};

    if (window_real.server_call(&r)) return false;
    *full = r.out.word[0];
    *pid = r.out.word[2];
    *tid = r.out.word[3];
    return true;
}

/* --- requests of user32 --------------------------------------------------------------------- */

/* The host's list has the stations of all: the VM's answers from its own directory. */
static NTSTATUS enum_station(struct request *program)
{
    struct request r;
    fvm_wchar name[260];
    uint32_t len, bytes;

    if (!guest_read(&r, program, sizeof(r))) return NT_ACCESS_VIOLATION;
    if (!window_station_name(r.in.word[0], name, 260, &len)) {
        r.out.status = (uint32_t)NT_NO_MORE_ENTRIES;
        r.out.size = 0;
        return guest_write(program, &r.out, sizeof(r.out)) ? NT_NO_MORE_ENTRIES
                                                           : NT_ACCESS_VIOLATION;
    }
    bytes = len * (uint32_t)sizeof(*name);
    if (bytes > r.in.reply_size) bytes = r.in.reply_size;
    r.out.word[0] = r.in.word[0] + 1;
    r.out.status = 0;
    r.out.size = bytes;
    if ((bytes && !guest_write(r.reply, name, bytes)) ||
        !guest_write(program, &r.out, sizeof(r.out)))
        return NT_ACCESS_VIOLATION;
    return STATUS_SUCCESS;
}

static bool confine_window(struct request *program, uint32_t word)
{
    uint32_t hwnd, confined;

    if (!guest_read(&hwnd, &program->in.word[word], sizeof(hwnd))) return false;
    confined = (uint32_t)window_confine(hwnd);
    return confined == hwnd || guest_write(&program->in.word[word], &confined, sizeof(confined));
}

static bool confine_thread(struct request *program, uint32_t word)
{
    uint32_t tid, confined;

    if (!guest_read(&tid, &program->in.word[word], sizeof(tid))) return false;
    confined = window_confine_thread(tid);
    return confined == tid || guest_write(&program->in.word[word], &confined, sizeof(confined));
}

NTSTATUS CDECL window_hook_server_call(void *request)
{
    struct request *program = request;
    int32_t code;
    bool readable = true;

    if (guest_read(&code, &program->in.code, sizeof(code))) {
        switch (code) {
        case REQ_ENUM_WINSTATION:
            return enum_station(program);
        case REQ_SEND_MESSAGE:
            readable = confine_thread(program, MESSAGE_THREAD);
            break;
        case REQ_IS_WINDOW_HUNG:
        case REQ_GET_WINDOW_INFO:
        case REQ_GET_WINDOW_PROPERTIES:
            readable = confine_window(program, WINDOW);
            break;
        case REQ_GET_WINDOW_CHILDREN:
            readable = confine_window(program, CHILDREN_PARENT) &&
                       confine_thread(program, CHILDREN_THREAD);
            break;
        }
    }
    return readable ? window_real.server_call(request) : NT_ACCESS_VIOLATION;
}
