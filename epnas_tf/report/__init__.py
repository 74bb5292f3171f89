"""What a person reads of a search: made from the files of its work_dir alone."""
