/* client.exe: what the test does inside the VM and no program of Windows does.
 *
 * usage: client.exe class       creates the demonstration class, prints what it answers
 *        client.exe open FILE   opens FILE as a double click does, and waits
 * Exit code: 0, or that of the opened program where the shell tells its process; 200 when
 * something failed. */
#include "version.h"
#include <shellapi.h>
#include <stdio.h>
#include <wchar.h>

int wmain(int argc, WCHAR **argv);

static int create_class(void)
{
    demo *object = NULL;
    CLSID by_name;
    LONG version = -1;
    HRESULT hr = CLSIDFromProgID(L"FvmDemo.Class", &by_name);

    if (FAILED(hr)) {
        printf("the class has no name: %08lx\n", hr);
    } else if (!IsEqualGUID(&by_name, &demo_clsid)) {
        printf("the class's name is that of another\n");
        return 200;
    }
    hr = CoCreateInstance(&demo_clsid, NULL, CLSCTX_INPROC_SERVER, &demo_iid, (void **)&object);
    if (FAILED(hr)) {
        printf("no class: %08lx\n", hr);
        return 200;
    }
    hr = object->vtable->Version(object, &version);
    object->vtable->Release(object);
    if (FAILED(hr)) return 200;
    printf("class of version %ld\n", version);
    return 0;
}

static int open_file(const WCHAR *file)
{
    SHELLEXECUTEINFOW info = {.cbSize = sizeof(info)};
    DWORD code = 200;

    info.fMask = SEE_MASK_NOCLOSEPROCESS | SEE_MASK_FLAG_NO_UI;
    info.lpFile = file;
    info.nShow = SW_SHOWNORMAL;
    if (!ShellExecuteExW(&info)) {
        printf("cannot open: error %lu\n", GetLastError());
        return 200;
    }
    if (!info.hProcess) {
        printf("opened, by a program that does not tell its process\n");
        return 0;
    }
    WaitForSingleObject(info.hProcess, INFINITE);
    GetExitCodeProcess(info.hProcess, &code);
    CloseHandle(info.hProcess);
    return (int)code;
}

int wmain(int argc, WCHAR **argv)
{
    int code = 200;

    if (FAILED(CoInitializeEx(NULL, COINIT_APARTMENTTHREADED))) return 200;
    if (argc == 2 && !wcscmp(argv[1], L"class"))
        code = create_class();
    else if (argc == 3 && !wcscmp(argv[1], L"open"))
        code = open_file(argv[2]);
    else
        printf("usage: client.exe class | open FILE\n");
    CoUninitialize();
    return code;
}
