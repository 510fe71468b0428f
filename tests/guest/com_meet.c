/* COM and RPC: do two programs meet? As obj_meet, for what the COM service stands between.
 *
 *   com_meet server            makes everything, prints "ready", ends with a line of input
 *   com_meet client            tries to reach it, one line per way: name, then "met" or the error
 *   com_meet list              the names of all ways
 *   com_meet register          makes this program the local server of its class, "FvmMeet", in
 *                              the registry
 *   com_meet create            an object of the class, from whatever program the registry names;
 *                              prints "this", "another", which process it lives in, or the error
 *   com_meet calls             how long a call of an object of the server's takes, in us: the least
 *                              and the middle of 2,000
 *   com_meet -Embedding        that program: started by its client, ends with it
 *   com_meet time              how long a first call of COM takes that needs the COM service, in ms
 */
#define INITGUID
#define COBJMACROS
#include "test.h"

#include <objbase.h>
#include <rpc.h>

#define N L"fvm-meet-"

/* {5d9a1f0e-6c7b-4b0e-9a51-66764d2d7465} */
DEFINE_GUID(CLSID_Meet, 0x5d9a1f0e, 0x6c7b, 0x4b0e, 0x9a, 0x51, 0x66, 0x76, 0x4d, 0x2d, 0x74, 0x65);
#define CLASS L"{5D9A1F0E-6C7B-4B0E-9A51-66764D2D7465}"

/* --- the object: tells the id of its process -------------------------------------------- */
static LONG objects;
static HANDLE last_gone;
static IDispatch automation;

static HRESULT STDMETHODCALLTYPE persist_query(IPersist *p, REFIID iid, void **out)
{
    *out = NULL;
    if (IsEqualGUID(iid, &IID_IDispatch))
        *out = &automation;
    else if (IsEqualGUID(iid, &IID_IUnknown) || IsEqualGUID(iid, &IID_IPersist))
        *out = p;
    else
        return E_NOINTERFACE;
    IPersist_AddRef(p);
    return S_OK;
}

static ULONG STDMETHODCALLTYPE persist_add(IPersist *p)
{
    (void)p;
    return (ULONG)InterlockedIncrement(&objects);
}

static ULONG STDMETHODCALLTYPE persist_release(IPersist *p)
{
    LONG left = InterlockedDecrement(&objects);

    (void)p;
    if (!left) SetEvent(last_gone);
    return (ULONG)left;
}

static HRESULT STDMETHODCALLTYPE persist_class(IPersist *p, CLSID *clsid)
{
    (void)p;
    *clsid = CLSID_Meet;
    clsid->Data1 = GetCurrentProcessId();
    return S_OK;
}

static IPersistVtbl persist_calls = {persist_query, persist_add, persist_release, persist_class};
static IPersist object = {&persist_calls};

/* The same object for scripts: x.Twice(21) is 42. */
static HRESULT STDMETHODCALLTYPE dispatch_query(IDispatch *d, REFIID iid, void **out)
{
    (void)d;
    return IPersist_QueryInterface(&object, iid, out);
}

static ULONG STDMETHODCALLTYPE dispatch_add(IDispatch *d)
{
    (void)d;
    return IPersist_AddRef(&object);
}

static ULONG STDMETHODCALLTYPE dispatch_release(IDispatch *d)
{
    (void)d;
    return IPersist_Release(&object);
}

static HRESULT STDMETHODCALLTYPE dispatch_count(IDispatch *d, UINT *count)
{
    (void)d;
    *count = 0;
    return S_OK;
}

static HRESULT STDMETHODCALLTYPE dispatch_info(IDispatch *d, UINT i, LCID lcid, ITypeInfo **info)
{
    (void)d;
    (void)i;
    (void)lcid;
    *info = NULL;
    return DISP_E_BADINDEX;
}

static HRESULT STDMETHODCALLTYPE dispatch_names(IDispatch *d, REFIID iid, LPOLESTR *names,
                                                UINT count, LCID lcid, DISPID *ids)
{
    (void)d;
    (void)iid;
    (void)lcid;
    if (count != 1 || _wcsicmp(names[0], L"Twice")) return DISP_E_UNKNOWNNAME;
    ids[0] = 1;
    return S_OK;
}

static HRESULT STDMETHODCALLTYPE dispatch_invoke(IDispatch *d, DISPID id, REFIID iid, LCID lcid,
                                                 WORD flags, DISPPARAMS *params, VARIANT *result,
                                                 EXCEPINFO *info, UINT *bad)
{
    VARIANT *v = params->rgvarg;

    (void)d;
    (void)iid;
    (void)lcid;
    (void)flags;
    (void)info;
    (void)bad;
    if (id != 1) return DISP_E_MEMBERNOTFOUND;
    if (params->cArgs != 1) return DISP_E_BADPARAMCOUNT;
    if (V_VT(v) != VT_I2 && V_VT(v) != VT_I4) return DISP_E_TYPEMISMATCH;
    if (!result) return S_OK;
    V_VT(result) = VT_I4;
    V_I4(result) = 2 * (V_VT(v) == VT_I2 ? V_I2(v) : V_I4(v));
    return S_OK;
}

static IDispatchVtbl dispatch_calls = {dispatch_query, dispatch_add,  dispatch_release,
                                       dispatch_count, dispatch_info, dispatch_names,
                                       dispatch_invoke};
static IDispatch automation = {&dispatch_calls};

static HRESULT STDMETHODCALLTYPE factory_query(IClassFactory *f, REFIID iid, void **out)
{
    *out = NULL;
    if (!IsEqualGUID(iid, &IID_IUnknown) && !IsEqualGUID(iid, &IID_IClassFactory))
        return E_NOINTERFACE;
    *out = f;
    return S_OK;
}

static ULONG STDMETHODCALLTYPE factory_count(IClassFactory *f)
{
    (void)f;
    return 1;
}

static HRESULT STDMETHODCALLTYPE factory_create(IClassFactory *f, IUnknown *outer, REFIID iid,
                                                void **out)
{
    (void)f;
    (void)outer;
    return IPersist_QueryInterface(&object, iid, out);
}

static HRESULT STDMETHODCALLTYPE factory_lock(IClassFactory *f, BOOL lock)
{
    (void)f;
    (void)lock;
    return S_OK;
}

static IClassFactoryVtbl factory_calls = {factory_query, factory_count, factory_count,
                                          factory_create, factory_lock};
static IClassFactory factory = {&factory_calls};

/* Who answers: the id of its process, 0 when nobody does. */
static HRESULT who(IUnknown *unknown, DWORD *pid)
{
    IPersist *persist;
    CLSID clsid;
    HRESULT hr = IUnknown_QueryInterface(unknown, &IID_IPersist, (void **)&persist);

    if (FAILED(hr)) return hr;
    hr = IPersist_GetClassID(persist, &clsid);
    IPersist_Release(persist);
    if (SUCCEEDED(hr)) *pid = clsid.Data1;
    return hr;
}

/* A call that another process answers: 0, else the error. */
static HRESULT other_process(IUnknown *unknown)
{
    DWORD pid = 0;
    HRESULT hr = who(unknown, &pid);

    if (FAILED(hr)) return hr;
    return pid && pid != GetCurrentProcessId() ? S_OK : E_UNEXPECTED;
}

/* --- class objects ---------------------------------------------------------------------- */
static HRESULT make_class(void)
{
    DWORD cookie;

    return CoRegisterClassObject(&CLSID_Meet, (IUnknown *)&factory, CLSCTX_LOCAL_SERVER,
                                 REGCLS_MULTIPLEUSE, &cookie);
}

static HRESULT meet_class(void)
{
    IClassFactory *found;
    HRESULT hr = CoGetClassObject(&CLSID_Meet, CLSCTX_LOCAL_SERVER, NULL, &IID_IClassFactory,
                                  (void **)&found);

    if (SUCCEEDED(hr)) IClassFactory_Release(found);
    return hr;
}

static HRESULT meet_call(void)
{
    IUnknown *unknown;
    HRESULT hr =
        CoCreateInstance(&CLSID_Meet, NULL, CLSCTX_LOCAL_SERVER, &IID_IUnknown, (void **)&unknown);

    if (FAILED(hr)) return hr;
    hr = other_process(unknown);
    IUnknown_Release(unknown);
    return hr;
}

/* --- running objects -------------------------------------------------------------------- */
static HRESULT moniker(IRunningObjectTable **table, IMoniker **name)
{
    HRESULT hr = GetRunningObjectTable(0, table);

    return FAILED(hr) ? hr : CreateItemMoniker(L"!", N L"running", name);
}

static HRESULT make_running(void)
{
    IRunningObjectTable *table;
    IMoniker *name;
    DWORD cookie;
    HRESULT hr = moniker(&table, &name);

    if (FAILED(hr)) return hr;
    return IRunningObjectTable_Register(table, ROTFLAGS_REGISTRATIONKEEPSALIVE, (IUnknown *)&object,
                                        name, &cookie);
}

static HRESULT meet_running(void)
{
    IRunningObjectTable *table;
    IMoniker *name;
    HRESULT hr = moniker(&table, &name);

    return FAILED(hr) ? hr : IRunningObjectTable_IsRunning(table, name);
}

static HRESULT meet_running_call(void)
{
    IRunningObjectTable *table;
    IMoniker *name;
    IUnknown *unknown;
    HRESULT hr = moniker(&table, &name);

    if (SUCCEEDED(hr)) hr = IRunningObjectTable_GetObject(table, name, &unknown);
    if (hr != S_OK) return hr;
    hr = other_process(unknown);
    IUnknown_Release(unknown);
    return hr;
}

static HRESULT meet_listed(void)
{
    IRunningObjectTable *table;
    IEnumMoniker *list;
    IMoniker *name, *each;
    HRESULT hr = moniker(&table, &name), found = S_FALSE;

    if (SUCCEEDED(hr)) hr = IRunningObjectTable_EnumRunning(table, &list);
    if (FAILED(hr)) return hr;
    while (IEnumMoniker_Next(list, 1, &each, NULL) == S_OK) {
        if (IMoniker_IsEqual(name, each) == S_OK) found = S_OK;
        IMoniker_Release(each);
    }
    IEnumMoniker_Release(list);
    return found;
}

/* --- the endpoint mapper ---------------------------------------------------------------- */
/* An interface without functions, which is enough to be found. */
static RPC_SERVER_INTERFACE interface_ = {
    .Length = sizeof(interface_),
    .InterfaceId = {{0x5d9a1f0f, 0x6c7b, 0x4b0e, {0x9a, 0x51, 0x66, 0x76, 0x4d, 0x2d, 0x74, 0x65}},
                    {1, 0}},
    .TransferSyntax = {{0x8a885d04, 0x1ceb, 0x11c9, {0x9f, 0xe8, 8, 0, 0x2b, 0x10, 0x48, 0x60}},
                       {2, 0}},
};

static RPC_BINDING_VECTOR *bindings;

static HRESULT make_endpoint(void)
{
    static WCHAR local[] = L"ncalrpc";
    RPC_STATUS status = RpcServerUseProtseqW(local, RPC_C_PROTSEQ_MAX_REQS_DEFAULT, NULL);

    if (!status) status = RpcServerRegisterIf(&interface_, NULL, NULL);
    if (!status) status = RpcServerListen(1, 10, TRUE);
    if (!status) status = RpcServerInqBindings(&bindings);
    if (!status) status = RpcEpRegisterW(&interface_, bindings, NULL, NULL);
    if (status) bindings = NULL;
    return status;
}

static HRESULT meet_endpoint(void)
{
    static WCHAR text[] = L"ncalrpc:";
    RPC_BINDING_HANDLE binding;
    RPC_STATUS status = RpcBindingFromStringBindingW(text, &binding);

    if (status) return status;
    status = RpcEpResolveBinding(binding, &interface_);
    if (!status) status = RpcMgmtIsServerListening(binding);
    RpcBindingFree(&binding);
    /* the host's mapper may go on to name one that has ended */
    return status == RPC_S_NOT_LISTENING ? EPT_S_NOT_REGISTERED : status;
}

static HRESULT nothing(void)
{
    return S_OK;
}

static const struct {
    const char *name;
    HRESULT (*make)(void), (*meet)(void);
} ways[] = {
    {"COM: class object", make_class, meet_class},
    {"COM: call of an object", nothing, meet_call},
    {"COM: running object", make_running, meet_running},
    {"COM: call of a running object", nothing, meet_running_call},
    {"COM: list of running objects", nothing, meet_listed},
    {"RPC: endpoint mapper", make_endpoint, meet_endpoint},
};
#define WAYS (sizeof ways / sizeof *ways)

static int server(void)
{
    char line[16];

    for (size_t i = 0; i < WAYS; i++) {
        HRESULT hr = ways[i].make();
        if (hr) printf("failed to make %s: %lx\n", ways[i].name, (unsigned long)hr);
    }
    printf("ready\n");
    fflush(stdout);
    fgets(line, sizeof line, stdin);
    if (bindings) RpcEpUnregister(&interface_, bindings, NULL);
    return 0;
}

static int client(void)
{
    for (size_t i = 0; i < WAYS; i++) {
        HRESULT hr = ways[i].meet();
        if (hr)
            printf("%s\t%lx\n", ways[i].name, (unsigned long)hr);
        else
            printf("%s\tmet\n", ways[i].name);
        fflush(stdout);
    }
    return 0;
}

static int embedded(void)
{
    last_gone = CreateEventW(NULL, TRUE, FALSE, NULL);
    if (FAILED(make_class())) return 1;
    /* a client that never comes is no reason to stay */
    return WaitForSingleObject(last_gone, 20000) ? 2 : 0;
}

static LONG set_class(const WCHAR *name, const WCHAR *value)
{
    HKEY key;
    LONG error = RegCreateKeyW(HKEY_CLASSES_ROOT, name, &key);

    if (error) return error;
    error = RegSetValueExW(key, NULL, 0, REG_SZ, (const BYTE *)value,
                           (DWORD)(wcslen(value) + 1) * sizeof(*value));
    RegCloseKey(key);
    return error;
}

static int register_class(void)
{
    WCHAR path[MAX_PATH];
    LONG error;

    GetModuleFileNameW(NULL, path, MAX_PATH);
    error = set_class(L"CLSID\\" CLASS L"\\LocalServer32", path);
    if (!error) error = set_class(L"FvmMeet\\CLSID", CLASS);
    return (int)error;
}

static int create(void)
{
    IUnknown *unknown;
    DWORD pid = 0;
    HRESULT hr =
        CoCreateInstance(&CLSID_Meet, NULL, CLSCTX_LOCAL_SERVER, &IID_IUnknown, (void **)&unknown);

    if (SUCCEEDED(hr)) hr = who(unknown, &pid);
    if (FAILED(hr))
        printf("%lx\n", (unsigned long)hr);
    else
        printf("%s\n", pid == GetCurrentProcessId() ? "this" : "another");
    if (pid) IUnknown_Release(unknown);
    return 0;
}

static int measure(void)
{
    LARGE_INTEGER frequency, begin, end;

    QueryPerformanceFrequency(&frequency);
    QueryPerformanceCounter(&begin);
    HRESULT hr = make_running();
    QueryPerformanceCounter(&end);
    printf("%.1f\n", (double)(end.QuadPart - begin.QuadPart) * 1000 / (double)frequency.QuadPart);
    return FAILED(hr);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static int calls(void)
{
    static double took[2000];
    LARGE_INTEGER frequency, begin, end;
    IPersist *persist;
    CLSID clsid;
    HRESULT hr =
        CoCreateInstance(&CLSID_Meet, NULL, CLSCTX_LOCAL_SERVER, &IID_IPersist, (void **)&persist);

    QueryPerformanceFrequency(&frequency);
    for (int i = 0; SUCCEEDED(hr) && i < 2000; i++) {
        QueryPerformanceCounter(&begin);
        hr = IPersist_GetClassID(persist, &clsid);
        QueryPerformanceCounter(&end);
        took[i] = (double)(end.QuadPart - begin.QuadPart) * 1e6 / (double)frequency.QuadPart;
    }
    if (FAILED(hr)) return 1;
    IPersist_Release(persist);
    qsort(took, 2000, sizeof(*took), compare);
    printf("%.1f %.1f\n", took[0], took[1000]);
    return 0;
}

int main(int argc, char **argv)
{
    const char *verb = argc > 1 ? argv[1] : "";
    int rc = 2;

    if (!strcmp(verb, "list")) {
        for (size_t i = 0; i < WAYS; i++)
            printf("%s\n", ways[i].name);
        return 0;
    }
    if (!strcmp(verb, "register")) return register_class();
    CoInitializeEx(NULL, COINIT_MULTITHREADED);
    if (!strcmp(verb, "server"))
        rc = server();
    else if (!strcmp(verb, "client"))
        rc = client();
    else if (!strcmp(verb, "create"))
        rc = create();
    else if (!strcmp(verb, "time"))
        rc = measure();
    else if (!strcmp(verb, "calls"))
        rc = calls();
    else if (!strcmp(verb, "-Embedding"))
        rc = embedded();
    else
        t_die("usage: com_meet server | client | list | register | create | time | calls");
    CoUninitialize();
    return rc;
}
