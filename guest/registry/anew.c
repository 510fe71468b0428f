/* A key of the base that the VM has to make again. */
#include "registry.h"

NTSTATUS guest_registry_anew(const OBJECT_ATTRIBUTES *attr, bool (*wanted)(struct fvm_wstr path),
                             bool *done)
{
    struct fvm_reg_record rec = {
        .op = FVM_REG_OP_CREATE, .flags = FVM_REG_VOLATILE, .time = reg_now()};
    struct reg_name name;
    NTSTATUS status;

    *done = false;
    enum reg_kind kind = reg_resolve(attr, false, &name, &status);
    if (kind != REG_OURS) return kind == REG_PASS ? STATUS_SUCCESS : status;
    if (name.look.verdict == FVM_REG_IS_BASE &&
        wanted((struct fvm_wstr){name.look.canon, name.look.canon_len})) {
        reg_lock();
        /* another process may have made it meanwhile */
        status = reg_look_again(&name, false);
        if (!status && name.look.verdict == FVM_REG_IS_BASE) {
            rec.path = (struct fvm_wstr){name.look.canon, name.look.canon_len};
            rec.type = fvm_reg_next_serial(reg_store());
            status = reg_record(&rec);
            *done = !status;
        }
        reg_unlock();
    }
    reg_name_free(&name);
    return status;
}
