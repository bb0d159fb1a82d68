"""What data_processing does to tables: declared steps, compiled to SQL, run in a sandbox."""
