//! Machines that fail: databases that are away or lost, disks that fill, tasks that end.

mod compare_backup;
mod database_lost;
mod databases;
mod encrypted;
mod full_disk;
mod in_flight;
mod private_files;
mod task_ends;
