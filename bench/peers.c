/* Two programs that talk: window messages, and calls of a COM object in the other process.
 *
 * peers         starts itself as the other one, measures, ends it
 * peers serve   the other one: a window and a class object
 *
 * Prints lines as micro.c does. */
#define COBJMACROS
#include <windows.h>
#include <objbase.h>
#include <initguid.h>
#include <wchar.h>
#include "measure.h"

#define CLASS_NAME L"FvmBenchWindow"
#define READY      L"fvm-bench-peer-ready"
#define ANSWER     42

/* {0c2c77a4-6b0f-4d0c-8f55-7b8a4b0f54d1} */
DEFINE_GUID(CLSID_Peer, 0x0c2c77a4, 0x6b0f, 0x4d0c, 0x8f, 0x55, 0x7b, 0x8a, 0x4b, 0x0f, 0x54, 0xd1);

static HWND window;
static HANDLE peer;
static IPersist *remote;

static void fail(const char *what, unsigned long error)
{
    fprintf(stderr, "peers: %s: error %lx\n", what, error);
    if (peer) TerminateProcess(peer, 1);
    exit(1);
}

/* --- the object, and the one that gives it out: both live as long as the process ----------------
 */

static ULONG STDMETHODCALLTYPE reference(IPersist *p)
{
    (void)p;
    return 1;
}

static HRESULT STDMETHODCALLTYPE query(IPersist *p, REFIID iid, void **out)
{
    *out = NULL;
    if (!IsEqualGUID(iid, &IID_IUnknown) && !IsEqualGUID(iid, &IID_IPersist)) return E_NOINTERFACE;
    *out = p;
    return S_OK;
}

static HRESULT STDMETHODCALLTYPE class_id(IPersist *p, CLSID *id)
{
    (void)p;
    *id = CLSID_Peer;
    return S_OK;
}

static IPersistVtbl object_calls = {query, reference, reference, class_id};
static IPersist object = {&object_calls};

static ULONG STDMETHODCALLTYPE factory_reference(IClassFactory *f)
{
    (void)f;
    return 1;
}

static HRESULT STDMETHODCALLTYPE factory_query(IClassFactory *f, REFIID iid, void **out)
{
    *out = NULL;
    if (!IsEqualGUID(iid, &IID_IUnknown) && !IsEqualGUID(iid, &IID_IClassFactory))
        return E_NOINTERFACE;
    *out = f;
    return S_OK;
}

static HRESULT STDMETHODCALLTYPE create(IClassFactory *f, IUnknown *outer, REFIID iid, void **out)
{
    (void)f, (void)outer;
    return query(&object, iid, out);
}

static HRESULT STDMETHODCALLTYPE lock(IClassFactory *f, BOOL on)
{
    (void)f, (void)on;
    return S_OK;
}

static IClassFactoryVtbl calls = {factory_query, factory_reference, factory_reference, create,
                                  lock};
static IClassFactory factory = {&calls};

static LRESULT CALLBACK procedure(HWND w, UINT message, WPARAM wparam, LPARAM lparam)
{
    if (message == WM_USER) return ANSWER;
    if (message == WM_CLOSE) PostQuitMessage(0);
    return DefWindowProcW(w, message, wparam, lparam);
}

static int serve(void)
{
    WNDCLASSW class = {.lpfnWndProc = procedure, .lpszClassName = CLASS_NAME};
    HANDLE ready = OpenEventW(EVENT_MODIFY_STATE, FALSE, READY);
    HRESULT result;
    DWORD cookie;
    MSG message;

    if (!ready) fail("OpenEvent", GetLastError());
    result = CoInitializeEx(NULL, COINIT_MULTITHREADED);
    if (!result)
        result = CoRegisterClassObject(&CLSID_Peer, (IUnknown *)&factory, CLSCTX_LOCAL_SERVER,
                                       REGCLS_MULTIPLEUSE, &cookie);
    if (result) fail("CoRegisterClassObject", (unsigned long)result);
    if (!RegisterClassW(&class)) fail("RegisterClass", GetLastError());
    window = CreateWindowW(CLASS_NAME, L"peer", 0, 0, 0, 0, 0, HWND_MESSAGE, NULL, NULL,
                           NULL); /* such a one needs no screen */
    if (!window) fail("CreateWindow", GetLastError());
    SetEvent(ready);
    while (GetMessageW(&message, NULL, 0, 0) > 0)
        DispatchMessageW(&message);
    CoRevokeClassObject(cookie);
    return 0;
}

/* --- the client --------------------------------------------------------------------------------
 */

static void send_message(void)
{
    if (SendMessageW(window, WM_USER, 0, 0) != ANSWER) fail("SendMessage", GetLastError());
}

static void call_object(void)
{
    CLSID id;
    HRESULT result = IPersist_GetClassID(remote, &id);

    if (result || !IsEqualGUID(&id, &CLSID_Peer)) fail("GetClassID", (unsigned long)result);
}

static void start_peer(HANDLE ready)
{
    STARTUPINFOW start = {.cb = sizeof start};
    PROCESS_INFORMATION info;
    WCHAR path[4096], line[4200];
    HANDLE any[2] = {ready, NULL};

    GetModuleFileNameW(NULL, path, 4096);
    wcscpy(line, L"\"");
    wcscat(line, path);
    wcscat(line, L"\" serve");
    if (!CreateProcessW(path, line, NULL, NULL, FALSE, 0, NULL, NULL, &start, &info))
        fail("CreateProcess", GetLastError());
    CloseHandle(info.hThread);
    any[1] = peer = info.hProcess;
    if (WaitForMultipleObjects(2, any, FALSE, 30000) != WAIT_OBJECT_0)
        fail("the other program", GetLastError());
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "serve")) return serve();

    start_peer(CreateEventW(NULL, TRUE, FALSE, READY));
    HRESULT result = CoInitializeEx(NULL, COINIT_MULTITHREADED);

    window = FindWindowExW(HWND_MESSAGE, NULL, CLASS_NAME, NULL);
    if (!window) fail("FindWindow", GetLastError());
    if (!result)
        result = CoCreateInstance(&CLSID_Peer, NULL, CLSCTX_LOCAL_SERVER, &IID_IPersist,
                                  (void **)&remote);
    if (result) fail("CoCreateInstance", (unsigned long)result);
    measure("SendMessage to another process", send_message, 1000, 2);
    measure("COM call of another process", call_object, 1000, 1);
    IPersist_Release(remote);
    PostMessageW(window, WM_CLOSE, 0, 0);
    if (WaitForSingleObject(peer, 10000)) fail("the other program does not end", 0);
    CoUninitialize();
    return 0;
}
