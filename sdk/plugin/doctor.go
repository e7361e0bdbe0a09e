package plugin

// DoctorCapability is the capability of a kernels plugin whose program, called by hand
// with DoctorArgument, looks at the machine instead of serving: it says on standard
// output what of its libraries and devices is there, what is missing and how to get it,
// and exits with 0 where it can train. Further arguments are folders to look for
// libraries in, before all others. hone doctor asks every plugin that has it.
const DoctorCapability = "doctor"

// DoctorArgument is the first argument that asks for that.
const DoctorArgument = "doctor"
